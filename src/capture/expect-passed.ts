import { MillraceError, type ErrorDetail } from '../errors.ts'
import type { SourceCheck, SourceCheckName } from './source-check.ts'

/** The part of a request that a check is about. */
const POINTERS: Partial<Record<SourceCheckName, string>> = {
  pooler: '/port',
  slot: '/slot',
  publication: '/publication',
  tables_covered: '/tables',
  replica_identity: '/tables',
  own_storage: '/tables',
}

/** @throws MillraceError that names every failed check, with the SQL that mends it */
export function expectPassed(checks: readonly SourceCheck[]): void {
  const failed = checks.filter(({ status }) => status === 'fail')
  const first = failed[0]
  if (!first) return
  if (first.name === 'reachable') {
    throw new MillraceError(
      'source_unreachable',
      `The source cannot be reached: ${first.detail}.`,
      {
        errors: [{ pointer: '/host', detail: first.detail }],
      },
    )
  }
  const inUse = failed.length === 1 && first.detail.includes('in use by somebody else')
  throw new MillraceError(
    inUse ? 'slot_in_use' : 'source_check_failed',
    `The source cannot be captured as it is: ${failed.map(({ detail }) => detail).join('; ')}.`,
    { errors: failed.map(toDetail) },
  )
}

function toDetail({ name, detail, sql }: SourceCheck): ErrorDetail {
  return {
    pointer: POINTERS[name] ?? '',
    detail: sql === null ? `${name}: ${detail}` : `${name}: ${detail}. Run: ${sql}`,
  }
}
