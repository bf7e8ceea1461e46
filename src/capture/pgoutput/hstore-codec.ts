import { VALUE, ValueError, type ValueCodec } from './value-codec.ts'

const PAIR = /"((?:[^"\\]|\\.)*)"=>(?:NULL|"((?:[^"\\]|\\.)*)")(?:, |$)/gsy

/** `"k"=>"v", "n"=>NULL` to a JSON object of strings and nulls. */
export const hstoreCodec: ValueCodec = {
  kind: VALUE.other,
  encode(text) {
    const members: string[] = []
    PAIR.lastIndex = 0
    let end = 0
    for (let pair = PAIR.exec(text); pair !== null && end < text.length; pair = PAIR.exec(text)) {
      members.push(`${quote(pair[1]!)}:${pair[2] === undefined ? 'null' : quote(pair[2])}`)
      end = PAIR.lastIndex
    }
    if (end !== text.length) throw new ValueError('not an hstore')
    return `{${members.join(',')}}`
  },
}

function quote(escaped: string): string {
  return JSON.stringify(escaped.replaceAll(/\\(.)/gs, '$1'))
}
