import type { LogEntry } from '../log/entry.ts'
import { SEGMENT_BYTES_MAX, SEGMENT_ENTRIES_MAX, type SourceLog } from '../log/source-log.ts'
import type { Selection } from './selection/select-changes.ts'
import type { Feed, Missing } from './state/claim-messages.ts'

/** Entries of messages that were set aside, kept until they are delivered. */
const SET_ASIDE_BYTES_MAX = 8 * 1024 * 1024
/** How much of the log one query for a rare table may walk over. */
const SELECTED_RANGE = 50_000

/** A page of what one consumer selects: all of it between `from` and `to`. */
interface SelectedPage {
  from: number
  to: number
  entries: LogEntry[]
}

/**
 * The log as one consumer reads it. What is in the shared memory serves
 * everybody. Behind that, a consumer of every table reads shared pages; one that
 * selects some tables has a page of its own, so that it does not drag
 * everyone's rows through the process.
 */
export class ConsumerFeed implements Feed {
  readonly #log: SourceLog
  readonly #selection: Selection
  readonly #setAside = new Map<number, LogEntry>()
  #setAsideBytes = 0
  #page: SelectedPage | undefined

  constructor(log: SourceLog, selection: Selection) {
    this.#log = log
    this.#selection = selection
  }

  get head(): number {
    return this.#log.head
  }

  scan(
    seq: number,
  ): { entries: readonly LogEntry[]; index: number; scannedTo: number } | undefined {
    const shared = this.#log.find(seq)
    if (shared) {
      const { entries, index } = shared
      const scannedTo = entries.at(-1)!.seq
      if (index === 0) this.#log.prefetch(scannedTo + 1)
      return { entries, index, scannedTo }
    }
    if (seq < this.#log.firstRetained) {
      return { entries: [], index: 0, scannedTo: this.#log.firstRetained - 1 }
    }
    const page = this.#page
    if (!page || seq < page.from || seq > page.to) return undefined
    let index = 0
    while (index < page.entries.length && page.entries[index]!.seq < seq) index += 1
    return { entries: page.entries, index, scannedTo: page.to }
  }

  entryOf(seq: number): LogEntry | undefined {
    const own = this.#setAside.get(seq)
    if (own) return own
    const shared = this.#log.find(seq)
    return shared?.entries[shared.index]
  }

  /** Loads what a claim missed; answers the seqs that the log does not hold any more. */
  async load(missing: Missing): Promise<number[]> {
    const [page] = missing.pages
    const loadsPage = page === undefined ? undefined : this.#loadPage(page)
    const gone = missing.seqs.size > 0 ? await this.#loadSetAside([...missing.seqs]) : []
    await loadsPage
    return gone
  }

  /** Messages that were delivered need not be kept any longer. */
  forget(entries: readonly LogEntry[]): void {
    if (this.#setAside.size === 0) return
    for (const { seq } of entries) {
      const entry = this.#setAside.get(seq)
      if (!entry) continue
      this.#setAside.delete(seq)
      this.#setAsideBytes -= entry.size
    }
  }

  async #loadSetAside(seqs: number[]): Promise<number[]> {
    const wanted = seqs.filter((seq) => !this.#setAside.has(seq)).toSorted((a, b) => a - b)
    if (wanted.length === 0) return []
    if (this.#setAsideBytes > SET_ASIDE_BYTES_MAX) {
      this.#setAside.clear()
      this.#setAsideBytes = 0
    }
    const { entries, gone } = await this.#log.readEntries(wanted, SET_ASIDE_BYTES_MAX)
    for (const entry of entries) {
      this.#setAside.set(entry.seq, entry)
      this.#setAsideBytes += entry.size
    }
    return gone
  }

  async #loadPage(seq: number): Promise<void> {
    if (this.#selectsMost()) {
      await this.#log.load(seq)
      return
    }
    const before = Math.min(seq + SELECTED_RANGE, this.#log.head + 1)
    const entries = await this.#log.readSelected(
      seq,
      before,
      (relation) => this.#selection.selectsRelation(relation),
      this.#selection.actions,
    )
    // A full page ends at its last entry; otherwise all of the range was read.
    const isFull = entries.length >= SEGMENT_ENTRIES_MAX || isCutByBytes(entries)
    this.#page = { from: seq, to: isFull ? entries.at(-1)!.seq : before - 1, entries }
  }

  #selectsMost(): boolean {
    if (this.#selection.takesAll) return true
    const relations = this.#log.relations.list()
    return relations.length > 0 && relations.every((each) => this.#selection.selectsRelation(each))
  }
}

/** Whether the page may have ended for its size: then nothing is known of what follows. */
function isCutByBytes(entries: readonly LogEntry[]): boolean {
  return (
    entries.length > 0 && entries.reduce((sum, entry) => sum + entry.size, 0) >= SEGMENT_BYTES_MAX
  )
}
