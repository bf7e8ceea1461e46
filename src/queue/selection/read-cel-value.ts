import { MemberCursor } from './json-members.ts'

const QUOTE = 0x22
const MINUS = 0x2d
const NINE = 0x39

/**
 * The CEL value of a JSON text. An integer is an exact `int` of any length, a number with
 * a fraction or an exponent a `double`, an object a map. A bigint compares with a double
 * as numbers do, so `record.total_price > 99` holds for 99.99 and for 100.
 */
export function readCelValue(json: string): unknown {
  const first = json.charCodeAt(0)
  if (first === QUOTE) return readText(json)
  if (first === MINUS || first <= NINE) return readNumber(json)
  switch (json) {
    case 'true':
      return true
    case 'false':
      return false
    case 'null':
      return null
    default:
      return readNested(json)
  }
}

function readText(json: string): string {
  return json.includes('\\') ? (JSON.parse(json) as string) : json.slice(1, -1)
}

function readNumber(json: string): bigint | number {
  return isInteger(json) ? BigInt(json) : Number(json)
}

function isInteger(json: string): boolean {
  for (let i = json.charCodeAt(0) === MINUS ? 1 : 0; i < json.length; i++) {
    if (json.charCodeAt(i) > NINE || json.charCodeAt(i) < 0x30) return false
  }
  return true
}

/** The third argument of a reviver: the number as it was written. */
type Reviver = (key: string, value: unknown, context: { source?: string }) => unknown

const revive: Reviver = (_key, value, { source }) => {
  if (typeof value === 'number') return readNumber(source!)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  // A map, so that a member called "constructor" is a member like any other.
  return value instanceof Map ? value : new Map(Object.entries(value))
}

function readNested(json: string): unknown {
  return JSON.parse(json, revive as (key: string, value: unknown) => unknown)
}

/** All members of a JSON object. */
export function readCelMembers(json: string, into: Map<string, unknown>): void {
  const cursor = new MemberCursor()
  cursor.open(json)
  while (cursor.next()) {
    into.set(cursor.readName(), readCelValue(json.slice(cursor.valueStart, cursor.valueEnd)))
  }
}
