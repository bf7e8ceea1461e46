import type { BackfillProgress } from '../log/append.ts'
import type { RelationMessage } from './pgoutput/message.ts'
import type { RowPlan } from './pgoutput/row-plan.ts'
import type { Snapshot } from './snapshot.ts'

/** What the message that ends a page is called in the WAL. */
export const WATERMARK_PREFIX = 'millrace.backfill'

/** Transactions that are remembered: far more than can be committed and not yet visible. */
const STREAMED_MAX = 16_384
/** Changes noted while a page is being read; past it the page is read again, smaller. */
const NOTES_MAX = 200_000

/** A row that a backfill has read. */
export interface PageRow {
  /** As in a log entry. */
  readonly key: string | null
  readonly record: string
  readonly size: number
  /** Why it could not be made JSON; then `record` is what was read, for people. */
  readonly error: string | null
}

/** Rows of one table as of one snapshot. */
export interface Page {
  /** The content of the message that ends it. */
  readonly watermark: string
  readonly snapshot: Snapshot
  readonly message: RelationMessage
  readonly plan: RowPlan
  readonly recipientNo: number | null
  readonly rows: readonly PageRow[]
  /**
   * The stream has come to the watermark: `kept` go into the log now, and rows from the
   * place `end` on must be read again. Answers what to store with them; null: nothing.
   */
  settle(kept: number, end: number): BackfillProgress | null
}

interface Note {
  readonly xid: number
  readonly key: string | null
  readonly isPartial: boolean
}

/**
 * Where a page of a backfill meets the stream. A row that was read may be older than a
 * change of it which the stream has brought, or is about to: such a row is left out, for
 * the change tells more.
 *
 *   open ──► rows are read ──► hold ──► the watermark comes by ──► settled
 *     └── changes of the table are noted ───────┘
 *
 * Everything that a page's snapshot sees was committed before its watermark was written,
 * so the stream has it before the watermark. What the snapshot does not see and the stream
 * brings before the watermark is what makes a row stale. The snapshot decides, not the
 * places of two marks in the WAL: a commit is in the WAL before other sessions can see it.
 */
export class PageWindow {
  /** The newest transactions of the stream, round and round. */
  readonly #streamed = new Uint32Array(STREAMED_MAX)
  readonly #barriers = new Map<string, () => void>()
  #count = 0
  #countAtOpen = 0
  #relationOid = 0
  #notes: Note[] = []
  #page: Page | undefined
  /** Of the page: of other rows' changes nothing is kept. */
  #keys: ReadonlySet<string | null> = new Set()
  /** Rows whose changes the page did not see; true: of some change not all columns are known. */
  readonly #changed = new Map<string, boolean>()
  #isTruncated = false
  /** Something changed and nobody can tell which row. */
  #isBlurred = false
  #isOverflown = false

  /** The table whose changes are to be noted; 0: none. */
  get relationOid(): number {
    return this.#relationOid
  }

  /** From now on changes of the table count. */
  open(relationOid: number): void {
    this.close()
    this.#relationOid = relationOid
    this.#countAtOpen = this.#count
  }

  close(): void {
    this.#relationOid = 0
    this.#notes = []
    this.#changed.clear()
    this.#page = undefined
    this.#isTruncated = false
    this.#isBlurred = false
    this.#isOverflown = false
  }

  /**
   * Takes the rows that were read since `open`. False: they cannot be used, because too
   * much has changed, or the stream brought something before `open` that they do not show.
   */
  hold(page: Page): boolean {
    if (this.#isOverflown || this.#hasStreamedUnseen(page.snapshot)) {
      this.close()
      return false
    }
    this.#page = page
    this.#keys = new Set(page.rows.map(({ key }) => key))
    for (const note of this.#notes) this.#judge(note, page)
    this.#notes = []
    return true
  }

  /** Resolves when the stream has come to the watermark of that content. */
  passes(content: string): Promise<void> {
    return new Promise((resolve) => this.#barriers.set(content, resolve))
  }

  /** A transaction begins in the stream; it is committed in the source. */
  noteTransaction(xid: number): void {
    this.#streamed[this.#count % STREAMED_MAX] = xid
    this.#count += 1
  }

  /** A change of the open table; `isPartial`: columns that it did not touch are not in it. */
  noteChange(xid: number, key: string | null, isPartial: boolean): void {
    const note = { xid, key, isPartial }
    if (this.#page) this.#judge(note, this.#page)
    else if (this.#notes.length < NOTES_MAX) this.#notes.push(note)
    else this.#isOverflown = true
  }

  /** The open table was emptied. */
  noteTruncate(xid: number): void {
    if (!this.#page) this.#isOverflown = true
    else if (!this.#page.snapshot.sees(xid)) this.#isTruncated = true
  }

  /** The stream is at a watermark: answers the page that it ends, and which of its rows are new. */
  settle(
    content: string,
  ): { page: Page; kept: PageRow[]; progress: BackfillProgress | null } | null {
    this.#barriers.get(content)?.()
    this.#barriers.delete(content)
    const page = this.#page
    if (page?.watermark !== content) return null
    const { kept, end } = this.#sift(page)
    const progress = page.settle(kept.length, end)
    this.close()
    return { page, kept, progress }
  }

  #judge({ xid, key, isPartial }: Note, { snapshot }: Page): void {
    if (snapshot.sees(xid)) return
    if (key === null) this.#isBlurred = true
    else if (this.#keys.has(key))
      this.#changed.set(key, isPartial || this.#changed.get(key) === true)
  }

  /** A change without its large columns does not make up for the row: from there on it is read again. */
  #sift(page: Page): { kept: PageRow[]; end: number } {
    if (this.#isTruncated) return { kept: [], end: page.rows.length }
    if (this.#isBlurred) return { kept: [], end: 0 }
    if (this.#changed.size === 0) return { kept: [...page.rows], end: page.rows.length }
    const kept: PageRow[] = []
    for (const [index, row] of page.rows.entries()) {
      const isPartial = row.key === null ? undefined : this.#changed.get(row.key)
      if (isPartial === true) return { kept, end: index }
      if (isPartial === undefined) kept.push(row)
    }
    return { kept, end: page.rows.length }
  }

  /** Whether the stream had brought a transaction that the page does not show when it was opened. */
  #hasStreamedUnseen(snapshot: Snapshot): boolean {
    const first = Math.max(0, this.#count - STREAMED_MAX)
    for (let at = first; at < this.#countAtOpen; at++) {
      if (!snapshot.sees(this.#streamed[at % STREAMED_MAX]!)) return true
    }
    return false
  }
}
