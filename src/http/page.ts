import { MillraceError } from '../errors.ts'

/** A page out of one more row than it holds: the extra row says that there is another page. */
export function makePage<T, V>(
  rows: readonly T[],
  limit: number,
  options: { keyOf: (row: T) => string; present: (row: T) => V },
): { data: V[]; next_cursor: string | null } {
  const shown = rows.slice(0, limit)
  const last = rows.length > limit ? shown.at(-1) : undefined
  return {
    data: shown.map(options.present),
    next_cursor: last === undefined ? null : encodeCursor(options.keyOf(last)),
  }
}

function encodeCursor(key: string): string {
  return Buffer.from(key).toString('base64url')
}

/** @throws MillraceError `invalid_parameter` */
export function decodeCursor(cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined
  const key = Buffer.from(cursor, 'base64url').toString()
  if (key === '' || key.includes('\0') || encodeCursor(key) !== cursor) {
    throw refuseCursor()
  }
  return key
}

/**
 * The same, of a list that is ordered by a number.
 * @throws MillraceError `invalid_parameter`
 */
export function decodeNumberCursor(cursor: string | undefined): number | undefined {
  return decodeNumbersCursor(cursor, 1)?.[0]
}

/**
 * The same, of a list that is ordered by several numbers, written `1/2`.
 * @throws MillraceError `invalid_parameter`
 */
export function decodeNumbersCursor(
  cursor: string | undefined,
  count: number,
): number[] | undefined {
  const numbers = decodeCursor(cursor)?.split('/').map(Number)
  if (numbers === undefined) return undefined
  if (numbers.length !== count || !numbers.every(Number.isSafeInteger)) throw refuseCursor()
  return numbers
}

function refuseCursor(): MillraceError {
  return new MillraceError(
    'invalid_parameter',
    'Query: cursor must be the `next_cursor` of another page.',
    { errors: [{ pointer: '/cursor', detail: 'is not a cursor of ours' }] },
  )
}
