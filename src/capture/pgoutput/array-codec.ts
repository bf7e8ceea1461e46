import { scanQuoted } from './scan-quoted.ts'
import { integerCodec, VALUE, ValueError, type ValueCodec } from './value-codec.ts'

/** Postgres itself allows six dimensions. */
const DEPTH_MAX = 6

/** `{1,NULL,{…}}` to a JSON array. Lower bounds other than 1 are dropped, as `to_json` does. */
export function arrayCodec(element: ValueCodec, delimiter = ','): ValueCodec {
  return {
    kind: VALUE.other,
    encode(text) {
      // [0:1]={…}
      const start = text.startsWith('[') ? text.indexOf('=') + 1 : 0
      const scanner: Scanner = { text, at: start, element, delimiter }
      const json = scanArray(scanner, 1)
      if (scanner.at !== text.length) throw new ValueError('text behind the array')
      return json
    },
  }
}

/** `1 2 3`: the two vectors of the catalogues, arrays that are written otherwise. */
export const vectorCodec: ValueCodec = {
  kind: VALUE.other,
  encode: (text) =>
    text === ''
      ? '[]'
      : `[${text
          .split(' ')
          .map((number) => integerCodec.encode(number))
          .join(',')}]`,
}

interface Scanner {
  readonly text: string
  at: number
  readonly element: ValueCodec
  readonly delimiter: string
}

function scanArray(scanner: Scanner, depth: number): string {
  const { text, delimiter } = scanner
  if (text[scanner.at] !== '{' || depth > DEPTH_MAX) throw new ValueError('not an array')
  scanner.at++
  if (text[scanner.at] === '}') {
    scanner.at++
    return '[]'
  }
  let json = '['
  while (true) {
    json += text[scanner.at] === '{' ? scanArray(scanner, depth + 1) : scanElement(scanner)
    const next = text[scanner.at++]
    if (next === '}') return json + ']'
    if (next !== delimiter) throw new ValueError('an array does not end')
    json += ','
  }
}

function scanElement(scanner: Scanner): string {
  const { text, delimiter, element } = scanner
  if (text[scanner.at] === '"') {
    const { value, end } = scanQuoted(text, scanner.at)
    scanner.at = end
    return element.encode(value)
  }
  const start = scanner.at
  while (scanner.at < text.length && text[scanner.at] !== '}' && text[scanner.at] !== delimiter) {
    scanner.at++
  }
  if (scanner.at === start) throw new ValueError('an element is missing')
  const value = text.slice(start, scanner.at)
  return value === 'NULL' ? 'null' : element.encode(value)
}
