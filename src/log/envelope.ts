import type { Action, LogEntry, Relation } from './entry.ts'

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
  return `${keyPrefix(entry, source)}${entry.commitIdx}`
}

function keyPrefix({ commitLsn }: LogEntry, source: EnvelopeSource): string {
  return `${source.id.slice(0, 8)}-${commitLsn}-`
}

/**
 * Writes what a message says of its change beside `record` and `changes`: from
 * `,"action"` to the end of `metadata`. Entries of one transaction and table come in
 * runs and say mostly the same: that part is remembered, one run long. Kept with every
 * entry instead it would be the largest thing that the log has in memory beside the
 * record; put together anew it would be half of what a message costs.
 */
export class MetadataWriter {
  readonly #source: EnvelopeSource
  readonly #tail: string
  #relation: Relation | undefined
  #action: Action | undefined
  #committedAtUs = -1
  #commitLsn = ''
  #head = ''
  #key = ''

  /** @param consumerJson the member `consumer` of the metadata */
  constructor(source: EnvelopeSource, consumerJson: string) {
    this.#source = source
    this.#tail = `,"database":{"id":"${source.id}","name":"${source.name}"},"consumer":${consumerJson}}`
  }

  write(entry: LogEntry): string {
    if (
      entry.commitLsn !== this.#commitLsn ||
      entry.committedAtUs !== this.#committedAtUs ||
      entry.relation !== this.#relation ||
      entry.action !== this.#action
    ) {
      this.#remember(entry)
    }
    const { commitIdx, extra } = entry
    const tail = extra === null ? this.#tail : `,${extra}${this.#tail}`
    return `${this.#head}${commitIdx}${this.#key}${commitIdx}"${tail}`
  }

  #remember(entry: LogEntry): void {
    const { relation, action, committedAtUs, commitLsn } = entry
    this.#relation = relation
    this.#action = action
    this.#committedAtUs = committedAtUs
    this.#commitLsn = commitLsn
    this.#head =
      `,"action":"${action}","metadata":{"table_schema":${JSON.stringify(relation.schema)}` +
      `,"table_name":${JSON.stringify(relation.table)}` +
      `,"commit_timestamp":"${formatMicroseconds(committedAtUs)}","commit_lsn":${commitLsn},"commit_idx":`
    this.#key = `,"idempotency_key":"${keyPrefix(entry, this.#source)}`
  }
}

/** RFC 3339 in UTC; a fraction of six digits unless it is zero. */
export function formatMicroseconds(microseconds: number): string {
  const second = Math.floor(microseconds / 1_000_000)
  const fraction = microseconds - second * 1_000_000
  // Many transactions share a second.
  if (second !== lastSecond) {
    lastSecondText = new Date(second * 1000).toISOString().slice(0, -5)
    lastSecond = second
  }
  return fraction === 0
    ? `${lastSecondText}Z`
    : `${lastSecondText}.${String(fraction).padStart(6, '0')}Z`
}

let lastSecond = Number.NaN
let lastSecondText = ''
