import type { BackfillProgress } from '../log/append.ts'
import type { BackfillPosition } from '../storage/schema-types.ts'
import type { Backfill } from './backfill.ts'
import type { TableDescription } from './describe-table.ts'
import type { PageChoice } from './page-query.ts'
import { PageSize } from './page-size.ts'
import type { Mark, ReadPage } from './read-page.ts'

const ROWS = { start: 500, max: 10_000 }
const BLOCKS = { start: 16, max: 2_048 }
/** Pages without a step forward, each smaller than the one before, before the row is left alone. */
const STALLS_MAX = 50
/** How much the newest page counts in the rate. */
const RATE_WEIGHT = 0.3

/** A backfill in the hands of its runner: what is ahead of what is stored. */
export class BackfillWork {
  readonly size: PageSize
  /** As it was described last; undefined: it is to be described anew. */
  table: TableDescription | undefined
  readonly recipientNo: number | null
  readonly #backfill: Backfill
  #position: BackfillPosition | null
  #isDone = false
  #isHopeless = false
  #stalls = 0
  #refusals = 0
  #rate: number
  #settledAt = performance.now()

  constructor(backfill: Backfill, table: TableDescription) {
    this.#backfill = backfill
    this.#position = backfill.position
    this.#rate = backfill.rowsPerSecond ?? 0
    this.recipientNo = backfill.consumerNo
    const { start, max } = table.key.length > 0 ? ROWS : BLOCKS
    this.size = new PageSize(start, max)
  }

  /** The last page is settled; that it is stored may still be to come. */
  get isDone(): boolean {
    return this.#isDone
  }

  /** Rows without a key change faster than they can be read. */
  get isHopeless(): boolean {
    return this.#isHopeless
  }

  choice(table: TableDescription): PageChoice {
    const { predicate, fromKey } = this.#backfill
    return { predicate, fromKey, position: this.#validPosition(table) }
  }

  /** A page that could not be used. */
  missed(): void {
    this.#stalls += 1
    if (this.#stalls % 5 === 0) this.size.shrink()
  }

  /** Its statement was refused; true: again, so that it is not for a change of the table just then. */
  isRefused(): boolean {
    this.#refusals += 1
    return this.#refusals > 1
  }

  /** As of `Page`. */
  settle(page: ReadPage, kept: number, end: number): BackfillProgress | null {
    if (end === page.rows.length) {
      this.size.note(page.ms, page.bytes, page.isCut)
      this.#stalls = 0
      return this.#advance(page.end, kept, page.isLast)
    }
    this.size.shrink()
    const mark = page.marks[end - 1]
    if (mark) {
      this.#stalls = 0
      return this.#advance(mark, kept, false)
    }
    this.#stalls += 1
    if (this.#stalls < STALLS_MAX) return null
    this.#stalls = 0
    this.#isHopeless = page.rows[0]!.key === null
    // Its changes are in the log, without the columns that they did not touch.
    return this.#isHopeless ? null : this.#advance(page.marks[0]!, 0, false)
  }

  #advance({ position, scanned }: Mark, kept: number, isDone: boolean): BackfillProgress {
    const now = performance.now()
    const rate = (scanned * 1000) / Math.max(1, now - this.#settledAt)
    this.#rate = this.#rate === 0 ? rate : this.#rate + (rate - this.#rate) * RATE_WEIGHT
    this.#settledAt = now
    this.#refusals = 0
    this.#position = position
    this.#isDone = isDone
    return {
      backfillNo: this.#backfill.backfillNo,
      position: JSON.stringify(position),
      rowsScanned: scanned,
      rowsRead: kept,
      rowsPerSecond: this.#rate,
      isDone,
    }
  }

  /** Rewritten, a table has its rows in other places; another key is another order. */
  #validPosition({ key, order, file }: TableDescription): BackfillPosition | null {
    const position = this.#position
    if (position === null) return null
    if ('key' in position) return position.order === order ? position : null
    return key.length === 0 && position.file === file ? position : null
  }
}
