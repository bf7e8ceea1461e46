import type { LogEntry } from './entry.ts'

/** What the messages of one source say of it. */
export interface EnvelopeSource {
  /** uuid */
  readonly id: string
  readonly name: string
}

/**
 * Identifies a change wherever it is delivered, redelivered or replayed: by its
 * place in the source's history, not by where we store it. A row found by a
 * backfill has no such place; there our number completes it.
 */
export function idempotencyKey(entry: LogEntry, source: EnvelopeSource): string {
  const place = `${source.id.slice(0, 8)}-${entry.commitLsn}-${entry.commitIdx}`
  return entry.backfillNo === null ? place : `${place}-b${entry.backfillNo}-${entry.seq}`
}

/**
 * The members of a message's metadata that all consumers share, without the
 * closing brace. Made once an entry and kept: with n consumers it is used n times.
 */
export function commonMetadata(entry: LogEntry, source: EnvelopeSource): string {
  entry.common ??= makeCommonMetadata(entry, source)
  return entry.common
}

function makeCommonMetadata(entry: LogEntry, source: EnvelopeSource): string {
  const { relation } = entry
  return (
    `"metadata":{"table_schema":${JSON.stringify(relation.schema)},"table_name":${JSON.stringify(relation.table)}` +
    `,"commit_timestamp":"${formatMicroseconds(entry.committedAtUs)}","commit_lsn":${entry.commitLsn}` +
    `,"commit_idx":${entry.commitIdx},"idempotency_key":"${idempotencyKey(entry, source)}"` +
    `${entry.extra === null ? '' : `,${entry.extra}`}` +
    `,"database":{"id":"${source.id}","name":"${source.name}"}`
  )
}

/** RFC 3339 in UTC; a fraction of six digits unless it is zero. */
export function formatMicroseconds(microseconds: number): string {
  const milliseconds = Math.floor(microseconds / 1000)
  const fraction = microseconds - Math.floor(microseconds / 1_000_000) * 1_000_000
  const whole = new Date(milliseconds).toISOString().slice(0, -5)
  return fraction === 0 ? `${whole}Z` : `${whole}.${String(fraction).padStart(6, '0')}Z`
}
