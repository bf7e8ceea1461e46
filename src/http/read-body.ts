import { MillraceError } from '../errors.ts'
import type { Exchange } from './exchange.ts'
import { findJsonError } from './find-json-error.ts'
import { tooLarge } from './too-large.ts'

const JSON_TYPE = /^application\/(?:[a-z.-]+\+)?json\s*(?:;|$)/i

/**
 * The request's body as JSON, never more of it than `bytesMax`; undefined: there is none.
 * @throws MillraceError `body_too_large`, `unsupported_media_type`, `malformed_json`
 */
export async function readJsonBody(exchange: Exchange, bytesMax: number): Promise<unknown> {
  // Known beforehand: nothing of it is read.
  if (Number(exchange.header('content-length')) > bytesMax) throw tooLarge(bytesMax)
  const text = await exchange.readText(bytesMax)
  if (text === '') return undefined

  const type = exchange.header('content-type')
  if (type === undefined || !isJsonType(type)) {
    throw new MillraceError(
      'unsupported_media_type',
      `The body must be JSON; send it with the header "Content-Type: application/json"${type === undefined ? '' : ` (it came as "${type.slice(0, 100)}")`}.`,
    )
  }
  return parseJson(text)
}

function isJsonType(type: string): boolean {
  return type === 'application/json' || JSON_TYPE.test(type)
}

function parseJson(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const at = findJsonError(text)
    const found = at < text.length ? JSON.stringify(text.slice(at, at + 10)) : 'the end'
    throw new MillraceError(
      'malformed_json',
      `The body is not JSON: unexpected ${found} at position ${at}.`,
      { cause: error },
    )
  }
  // Only an escape can bring them in, and hardly any body holds one.
  if (text.includes('\\u')) refuseUnstorable(value)
  return value
}

/** Postgres has no place for NUL in texts nor for half a surrogate pair in jsonb. */
function refuseUnstorable(value: unknown): void {
  const left: unknown[] = [value]
  while (left.length > 0) {
    const item = left.pop()
    if (typeof item === 'string' && (item.includes('\0') || !item.isWellFormed())) {
      throw new MillraceError(
        'malformed_json',
        'A string in the body holds \\u0000 or half a surrogate pair, which cannot be stored.',
      )
    }
    if (typeof item !== 'object' || item === null) continue
    for (const [name, member] of Object.entries(item)) left.push(name, member)
  }
}
