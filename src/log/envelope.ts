import type { LogEntry, Relation } from './entry.ts'

/** What the messages of one source say of it. */
export interface EnvelopeSource {
  /** uuid */
  readonly id: string
  readonly name: string
}

/**
 * Identifies a change wherever it is delivered, redelivered or replayed: by its
 * place in the source's history, not by where we store it. A row found by a
 * backfill has the place of the watermark that ended its page.
 */
export function idempotencyKey(entry: LogEntry, source: EnvelopeSource): string {
  return `${source.id.slice(0, 8)}-${entry.commitLsn}-${entry.commitIdx}`
}

/**
 * Writes the members of a message's metadata that all consumers share, without the
 * closing brace. Entries of one transaction and table come in runs and say mostly the
 * same: that part is remembered, one run long. Kept with every entry instead it would
 * be the largest thing that the log has in memory beside the record.
 */
export class MetadataWriter {
  readonly #source: EnvelopeSource
  readonly #tail: string
  #relation: Relation | undefined
  #committedAtUs = -1
  #commitLsn = ''
  #head = ''

  constructor(source: EnvelopeSource) {
    this.#source = source
    this.#tail = `,"database":{"id":"${source.id}","name":"${source.name}"}`
  }

  write(entry: LogEntry): string {
    const { commitIdx, extra } = entry
    return (
      `${this.#headOf(entry)}${commitIdx},"idempotency_key":"${idempotencyKey(entry, this.#source)}"` +
      `${extra === null ? '' : `,${extra}`}${this.#tail}`
    )
  }

  #headOf({ relation, committedAtUs, commitLsn }: LogEntry): string {
    if (
      committedAtUs !== this.#committedAtUs ||
      commitLsn !== this.#commitLsn ||
      relation !== this.#relation
    ) {
      this.#relation = relation
      this.#committedAtUs = committedAtUs
      this.#commitLsn = commitLsn
      this.#head =
        `"metadata":{"table_schema":${JSON.stringify(relation.schema)},"table_name":${JSON.stringify(relation.table)}` +
        `,"commit_timestamp":"${formatMicroseconds(committedAtUs)}","commit_lsn":${commitLsn},"commit_idx":`
    }
    return this.#head
  }
}

/** RFC 3339 in UTC; a fraction of six digits unless it is zero. */
export function formatMicroseconds(microseconds: number): string {
  const milliseconds = Math.floor(microseconds / 1000)
  const fraction = microseconds - Math.floor(microseconds / 1_000_000) * 1_000_000
  const whole = new Date(milliseconds).toISOString().slice(0, -5)
  return fraction === 0 ? `${whole}Z` : `${whole}.${String(fraction).padStart(6, '0')}Z`
}
