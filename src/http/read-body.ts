import type { Context } from 'hono'

import { MillraceError } from '../errors.ts'
import { findJsonError } from './find-json-error.ts'

const JSON_TYPE = /^application\/(?:[a-z.-]+\+)?json\s*(?:;|$)/i

/**
 * The request's body as JSON, never more of it than `bytesMax`; undefined: there is none.
 * @throws MillraceError `body_too_large`, `unsupported_media_type`, `malformed_json`
 */
export async function readJsonBody(c: Context, bytesMax: number): Promise<unknown> {
  const length = Number(c.req.header('content-length') ?? Number.NaN)
  // Known beforehand: nothing of it is read.
  if (length > bytesMax) throw tooLarge(bytesMax)
  const isCounted = !Number.isNaN(length)
  const text = isCounted ? await c.req.raw.text() : await readText(c.req.raw, bytesMax)
  if (text === '') return undefined

  const type = c.req.header('content-type')
  if (type === undefined || !JSON_TYPE.test(type)) {
    throw new MillraceError(
      'unsupported_media_type',
      `The body must be JSON; send it with the header "Content-Type: application/json"${type === undefined ? '' : ` (it came as "${type.slice(0, 100)}")`}.`,
    )
  }
  return parseJson(text)
}

/** A body of unknown length is counted while it comes. */
async function readText(request: Request, bytesMax: number): Promise<string> {
  if (request.body === null) return ''
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = request.body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    size += value.byteLength
    if (size > bytesMax) {
      await reader.cancel()
      throw tooLarge(bytesMax)
    }
    chunks.push(value)
  }
  return Buffer.concat(chunks, size).toString('utf8')
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

function tooLarge(bytesMax: number): MillraceError {
  return new MillraceError(
    'body_too_large',
    `The body is larger than the ${bytesMax} bytes this call takes.`,
  )
}
