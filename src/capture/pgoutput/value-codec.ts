/** How the text of a value becomes JSON. The first three are written out in the hot loop. */
export const VALUE = { string: 0, integer: 1, json: 2, other: 3 } as const

/**
 * Turns Postgres' text form of one type into JSON text. `encode` is right for every
 * kind; `kind` lets the row decoder take a shorter way.
 */
export interface ValueCodec {
  readonly kind: (typeof VALUE)[keyof typeof VALUE]
  /** @throws ValueError if the text is not of the type */
  encode(text: string): string
}

/** The text of a value is not what its type allows. */
export class ValueError extends Error {
  override readonly name = 'ValueError'
}

const INTEGER = /^-?(0|[1-9]\d*)$/
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?$/
const NOT_FINITE = /^(NaN|-?Infinity)$/
const TIMESTAMP = /^\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?( BC)?$/
const TIMESTAMPTZ = /^\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00( BC)?$/
/** Sought, not matched as a whole: for that a value of some megabytes has too many ways back. */
const NOT_HEX = /[^0-9a-f]/
/** Anything but printable ASCII without quote and backslash. */
const NEEDS_ESCAPE = /[^ !#-[\]-~]/

export function quoteJson(text: string): string {
  return NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`
}

export const stringCodec: ValueCodec = { kind: VALUE.string, encode: quoteJson }

export const integerCodec: ValueCodec = {
  kind: VALUE.integer,
  encode(text) {
    if (!INTEGER.test(text)) throw new ValueError('not an integer')
    return text
  },
}

/** Postgres checked it when it was stored; it is embedded as it is, digits, order and all. */
export const jsonCodec: ValueCodec = { kind: VALUE.json, encode: (text) => text }

/** JSON has no NaN and no infinity: those are strings. */
export const numberCodec: ValueCodec = {
  kind: VALUE.other,
  encode(text) {
    if (NUMBER.test(text)) return text
    if (NOT_FINITE.test(text)) return `"${text}"`
    throw new ValueError('not a number')
  },
}

export const booleanCodec: ValueCodec = {
  kind: VALUE.other,
  encode(text) {
    if (text === 't') return 'true'
    if (text === 'f') return 'false'
    throw new ValueError('not a boolean')
  },
}

/** ISO 8601 without a zone, as the type has none. Infinity stays a word. */
export const timestampCodec: ValueCodec = {
  kind: VALUE.other,
  encode: (text) => (TIMESTAMP.test(text) ? `"${text.replace(' ', 'T')}"` : quoteJson(text)),
}

/** ISO 8601 in UTC; the session's time zone is UTC, so the offset is always +00. */
export const timestamptzCodec: ValueCodec = {
  kind: VALUE.other,
  encode(text) {
    if (!TIMESTAMPTZ.test(text)) return quoteJson(text)
    if (text.charCodeAt(text.length - 1) === 0x30 && text.charCodeAt(10) === 0x20) {
      return `"${text.slice(0, 10)}T${text.slice(11, -3)}Z"`
    }
    return `"${text.replace(' ', 'T').replace('+00', 'Z')}"`
  },
}

/** Base64 is a third shorter than Postgres' hexadecimal, and what JSON clients expect. */
export const byteaCodec: ValueCodec = {
  kind: VALUE.other,
  encode(text) {
    const digits = text.slice(2)
    if (!text.startsWith('\\x') || digits.length % 2 !== 0 || NOT_HEX.test(digits)) {
      throw new ValueError('not bytea in hexadecimal')
    }
    return `"${Buffer.from(digits, 'hex').toString('base64')}"`
  },
}
