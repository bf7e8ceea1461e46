import { scanQuoted } from './scan-quoted.ts'
import { VALUE, ValueError, type ValueCodec } from './value-codec.ts'

/** `"k"=>"v", "n"=>NULL` to a JSON object of strings and nulls. */
export const hstoreCodec: ValueCodec = {
  kind: VALUE.other,
  encode(text) {
    if (text === '') return '{}'
    const members: string[] = []
    let at = 0
    while (true) {
      const key = scanQuoted(text, at)
      at = expect(text, key.end, '=>')
      if (text.startsWith('NULL', at)) {
        members.push(`${JSON.stringify(key.value)}:null`)
        at += 4
      } else {
        const { value, end } = scanQuoted(text, at)
        members.push(`${JSON.stringify(key.value)}:${JSON.stringify(value)}`)
        at = end
      }
      if (at === text.length) return `{${members.join(',')}}`
      at = expect(text, at, ', ')
    }
  },
}

function expect(text: string, at: number, part: string): number {
  if (!text.startsWith(part, at)) throw new ValueError('not an hstore')
  return at + part.length
}
