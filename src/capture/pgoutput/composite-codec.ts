import { quoteJson, VALUE, ValueError, type ValueCodec } from './value-codec.ts'

interface Attribute {
  readonly name: string
  readonly codec: ValueCodec
}

/**
 * `(1,"x,y",)` to a JSON object. A type that was altered since its catalogue entry was
 * read has other fields; then the text is kept as it is, and `onMisfit` called.
 */
export function compositeCodec(
  attributes: readonly Attribute[],
  onMisfit: () => void = () => {},
): ValueCodec {
  return {
    kind: VALUE.other,
    encode(text) {
      const json = encodeFields(scanFields(text, attributes.length), attributes)
      if (json !== null) return json
      onMisfit()
      return quoteJson(text)
    },
  }
}

/** Null: the fields are not those of the attributes. */
function encodeFields(
  fields: readonly (string | null)[],
  attributes: readonly Attribute[],
): string | null {
  if (fields.length !== attributes.length) return null
  try {
    const members = attributes.map(({ name, codec }, index) => {
      const field = fields[index]
      return `${JSON.stringify(name)}:${typeof field === 'string' ? codec.encode(field) : 'null'}`
    })
    return `{${members.join(',')}}`
  } catch (error) {
    if (error instanceof ValueError) return null
    throw error
  }
}

function scanFields(text: string, attributeCount: number): (string | null)[] {
  if (!text.startsWith('(') || !text.endsWith(')')) throw new ValueError('not a composite')
  const fields: (string | null)[] = []
  const end = text.length - 1
  let at = 1
  // A composite without members, and one with a single null, are written alike.
  if (at === end) return attributeCount === 0 ? [] : [null]
  while (true) {
    const [field, next] = scanField(text, at, end)
    fields.push(field)
    if (next === end) return fields
    at = next + 1
  }
}

/** One field and the place of the comma, or of the end, behind it. */
function scanField(text: string, start: number, end: number): [string | null, number] {
  let value = ''
  let quoted = false
  let from = start
  let at = start
  for (; at < end; at++) {
    const char = text.charCodeAt(at)
    if (char === COMMA && !quoted) break
    if (char !== QUOTE && char !== BACKSLASH) continue
    // In slices: a value of many megabytes must not become a string for every character.
    value += text.slice(from, at)
    const doubled = quoted && char === QUOTE && text.charCodeAt(at + 1) === QUOTE
    if (char === BACKSLASH || doubled) at++
    else quoted = !quoted
    from = char === BACKSLASH || doubled ? at : at + 1
  }
  if (quoted || at > end) throw new ValueError('a quoted field does not end')
  return [at === start ? null : value + text.slice(from, at), at]
}

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
