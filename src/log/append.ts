import pg from 'pg'

import { CopyWriter } from './copy-writer.ts'
import { runCopyQuery } from './copy-query.ts'
import type { LogEntry, Relation } from './entry.ts'
import { ACTION_CODES } from './read-log.ts'

/** A change that could not be decoded, kept whole. */
export interface Undecodable {
  readonly commitLsn: bigint
  readonly commitIdx: number
  readonly relationNo: number | null
  readonly error: string
  readonly bytes: Buffer
}

/** How far a page has brought a backfill. */
export interface BackfillProgress {
  readonly backfillNo: number
  /** Where the next page begins, as JSON. */
  readonly position: string
  readonly rowsScanned: number
  readonly rowsRead: number
  readonly rowsPerSecond: number
  readonly isDone: boolean
}

/** What one flush writes: entries, and all that must be true together with them. */
export interface Flush {
  readonly entries: readonly LogEntry[]
  readonly undecodable: readonly Undecodable[]
  /** Of the pages whose rows are among the entries. */
  readonly backfills?: readonly BackfillProgress[]
  /** Shapes that the entries are the first to have. */
  readonly relations: readonly Relation[]
  /** What the source may be told once this is committed. */
  readonly endLsn: bigint
}

/** Another process has taken over: nothing was written, and nothing may be any more. */
export class NotTheReaderError extends Error {
  override readonly name = 'NotTheReaderError'
}

const NOT_THE_READER = 'MR001'
const UNIQUE_VIOLATION = '23505'
const POSTGRES_EPOCH_US = 946_684_800_000_000
/** Bytes of a row besides its texts, with all lengths. */
const ROW_BYTES = 112
const FIELDS = 14
/** Positions are thinned out once in so many flushes. */
const THIN_EVERY = 64
const POSITIONS_KEPT = 16

const COPY = `copy millrace.log (source_no, seq, commit_lsn, commit_idx, committed_at, relation_no,
  action, size, recipient_no, key, old_key, record, changes, extra) from stdin (format binary)`

const ACTION_BYTES = Object.fromEntries(
  Object.entries(ACTION_CODES).map(([action, code]) => [action, code.charCodeAt(0)]),
)

/**
 * Writes flushes to the log of one source: entries, position, new shapes and the
 * notification in one transaction and one round trip. One at a time.
 */
export class LogAppender {
  readonly #client: pg.ClientBase
  readonly #sourceNo: number
  readonly #epoch: bigint
  readonly #writer = new CopyWriter()
  readonly #firstSeqs: number[] = []
  #flushes = 0

  /** `client` is the appender's alone; a broken one is not used again. */
  constructor(client: pg.ClientBase, sourceNo: number, epoch: bigint) {
    this.#client = client
    this.#sourceNo = sourceNo
    this.#epoch = epoch
  }

  /**
   * After any error but `NotTheReaderError` it is not known whether the flush was
   * committed: take over anew, which waits for it to end, and read the position.
   */
  async append(flush: Flush): Promise<void> {
    try {
      if (flush.entries.length === 0) await this.#client.query(this.#sqlAround(flush).join(';\n'))
      else await this.#copy(flush)
    } catch (error) {
      this.#writer.abandon()
      throw toNotTheReader(error)
    }
  }

  async #copy(flush: Flush): Promise<void> {
    const first = flush.entries[0]!.seq
    const last = flush.entries.at(-1)!.seq
    this.#firstSeqs.push(first)
    if (this.#firstSeqs.length > POSITIONS_KEPT) this.#firstSeqs.shift()
    this.#flushes++
    const statements = [
      ...this.#sqlAround(flush),
      COPY,
      this.#sqlPosition(flush),
      ...(this.#flushes % THIN_EVERY === 0 ? [this.#sqlThin()] : []),
      `select pg_notify('millrace_log', '${this.#sourceNo}:${last}')`,
    ]
    // Several statements in one query are one transaction: all or nothing.
    await runCopyQuery(this.#client, statements.join(';\n'), this.#encode(flush.entries))
  }

  #sqlAround(flush: Flush): string[] {
    return [
      `select millrace.hold_reader(${this.#sourceNo}, ${this.#epoch})`,
      ...flush.relations.map((relation) => this.#sqlRelation(relation)),
      ...flush.undecodable.map((kept) => this.#sqlUndecodable(kept)),
      ...(flush.backfills ?? []).map((progress) => sqlBackfill(progress)),
    ]
  }

  #sqlRelation(relation: Relation): string {
    const columns = relation.columns.map(({ name, type, typeOid, key }) => ({
      name,
      type,
      type_oid: typeOid,
      key,
    }))
    const keyColumns = relation.keyColumns.map((name) => pg.escapeLiteral(name)).join(', ')
    return `insert into millrace.relation
      (source_no, relation_no, relation_oid, table_schema, table_name, columns, key_columns)
      values (${this.#sourceNo}, ${relation.relationNo}, ${relation.oid},
        ${pg.escapeLiteral(relation.schema)}, ${pg.escapeLiteral(relation.table)},
        ${pg.escapeLiteral(JSON.stringify(columns))}, array[${keyColumns}]::text[])`
  }

  /** Read again after a crash it is the same row again. */
  #sqlUndecodable(kept: Undecodable): string {
    return `insert into millrace.undecodable
      (source_no, commit_lsn, commit_idx, relation_no, error, bytes)
      values (${this.#sourceNo}, ${kept.commitLsn}, ${kept.commitIdx}, ${kept.relationNo ?? 'null'},
        ${pg.escapeLiteral(kept.error)}, '\\x${kept.bytes.toString('hex')}')
      on conflict do nothing`
  }

  #sqlPosition({ entries, endLsn }: Flush): string {
    const last = entries.at(-1)!
    return `insert into millrace.position
      (source_no, first_seq, next_seq, commit_lsn, commit_idx, committed_at, end_lsn)
      values (${this.#sourceNo}, ${entries[0]!.seq}, ${last.seq + 1}, ${last.commitLsn},
        ${last.commitIdx}, to_timestamp(${last.committedAtUs} / 1000000.0), ${endLsn})`
  }

  #sqlThin(): string {
    return `delete from millrace.position
      where source_no = ${this.#sourceNo} and first_seq < ${this.#firstSeqs[0]!}`
  }

  #encode(entries: readonly LogEntry[]): readonly Buffer[] {
    const writer = this.#writer
    writer.begin()
    let lsnText = ''
    let lsn = 0n
    for (const entry of entries) {
      if (entry.commitLsn !== lsnText) {
        lsnText = entry.commitLsn
        lsn = BigInt(lsnText)
      }
      writer.startRow(FIELDS, ROW_BYTES)
      writer.int32(this.#sourceNo)
      writer.int64(entry.seq)
      writer.bigint(lsn)
      writer.int32(entry.commitIdx)
      writer.int64(entry.committedAtUs - POSTGRES_EPOCH_US)
      writer.int32(entry.relation.relationNo)
      writer.char(ACTION_BYTES[entry.action]!)
      writer.int32(entry.size)
      writer.int32(entry.recipientNo)
      writer.text(entry.key)
      writer.text(entry.oldKey)
      writer.text(entry.record)
      writer.text(entry.changes)
      writer.text(entry.extra)
    }
    return writer.finish()
  }
}

/** What an operator said meanwhile stays said; the rows of the page are there all the same. */
function sqlBackfill(progress: BackfillProgress): string {
  const { backfillNo, position, rowsScanned, rowsRead, rowsPerSecond, isDone } = progress
  const ends = `${isDone} and state in ('pending', 'running', 'paused')`
  return `update millrace.backfill
    set position = ${pg.escapeLiteral(position)}, rows_scanned = rows_scanned + ${rowsScanned},
      rows_read = rows_read + ${rowsRead}, rows_per_second = ${rowsPerSecond}, error = null,
      state = case when ${ends} then 'done' else state end,
      finished_at = case when ${ends} then now() else finished_at end, updated_at = now()
    where backfill_no = ${backfillNo}`
}

/** A position row that is already there was written by somebody who believes to be the reader. */
function toNotTheReader(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error
  const refused =
    error.code === NOT_THE_READER ||
    (error.code === UNIQUE_VIOLATION && error.constraint === 'position_is_written_once')
  return refused ? new NotTheReaderError(error.message, { cause: error }) : error
}
