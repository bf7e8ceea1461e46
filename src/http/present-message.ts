import type { ListedChange } from '../queue/operations/list-changes.ts'
import type { ListedMessage } from '../queue/operations/list-messages.ts'
import type { ChangeAtConsumer } from '../queue/operations/show-change.ts'
import { MillraceError } from '../errors.ts'

/** The members that lists of changes and of messages have in common, without the closing brace. */
export function presentChange(change: ListedChange | ListedMessage): string {
  const { seq, action, tableSchema, tableName, key, commitTimestamp, commitIdx } = change
  const head = JSON.stringify({
    seq,
    action,
    table_schema: tableSchema,
    table_name: tableName,
    key,
    commit_timestamp: commitTimestamp,
    commit_idx: commitIdx,
  })
  // Record and LSN go as text: parsing them here could lose digits.
  return (
    `${head.slice(0, -1)},"commit_lsn":${change.commitLsn},` +
    `"record":${change.record},"changes":${change.changes ?? 'null'}`
  )
}

export function presentMessage(message: ListedMessage): string {
  const rest = JSON.stringify({ replay: message.replay, ...presentPlace(message) })
  return `${presentChange(message)},${rest.slice(1)}`
}

export function presentPlace(
  place: Pick<
    ChangeAtConsumer,
    'state' | 'attempt' | 'visibleAt' | 'leaseExpiresAt' | 'worker' | 'reason' | 'history'
  >,
): Record<string, unknown> {
  return {
    state: place.state,
    attempt: place.attempt,
    visible_at: place.visibleAt,
    lease_expires_at: place.leaseExpiresAt,
    worker: place.worker,
    reason: place.reason,
    history: place.history,
  }
}

/**
 * A key as people write it (`42`, `"a"`, `[42,"a"]`, or plain text) as the log has it.
 * @throws MillraceError `invalid_parameter`
 */
export function readKey(text: string): string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // A text that is no JSON can only be meant as itself.
    return JSON.stringify(text)
  }
  if (Array.isArray(value)) return text.trim().slice(1, -1)
  if (typeof value === 'object' && value !== null) {
    throw new MillraceError('invalid_parameter', 'key must be a value or a list of values.', {
      errors: [{ pointer: '/key', detail: 'must be a value or a list of values' }],
    })
  }
  return text.trim()
}
