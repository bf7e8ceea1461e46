import type pg from 'pg'

import type { Action, LogEntry, Relation } from './entry.ts'
import { readRange, readSelected, readSeqs } from './read-log.ts'
import { RelationDirectory } from './relation-directory.ts'

/** Bytes of the log that a process keeps in memory per source. */
const MEMORY_BYTES_MAX = 32 * 1024 * 1024
export const SEGMENT_ENTRIES_MAX = 1024
export const SEGMENT_BYTES_MAX = 4 * 1024 * 1024
/** What an entry costs besides its record and changes, about. */
const ENTRY_BYTES = 400
/** Segments kept whatever their size, so that a huge entry can be delivered at all. */
const SEGMENTS_MIN = 2

/** A run of the log without gaps: `entries[i].seq` is `first + i`. */
interface Segment {
  readonly first: number
  readonly entries: LogEntry[]
  bytes: number
  usedAt: number
}

/**
 * One source's log as this process sees it: its end, and a bounded part of it
 * in memory, shared by all consumers. In the process that reads the source the
 * end is filled straight after the commit; elsewhere, and for consumers that
 * are behind, pages are read from Postgres, one query for all who want the page.
 */
export class SourceLog {
  readonly sourceNo: number
  readonly relations: RelationDirectory
  readonly #pool: pg.Pool
  /** Sorted by `first`, not overlapping. */
  readonly #segments: Segment[] = []
  readonly #loads = new Map<number, Promise<void>>()
  readonly #listeners = new Set<() => void>()
  readonly #bytesMax: number
  #bytes = 0
  #uses = 0
  #head = 0
  #last: Segment | undefined
  #firstRetained = 1

  constructor(pool: pg.Pool, sourceNo: number, bytesMax: number = MEMORY_BYTES_MAX) {
    this.#pool = pool
    this.sourceNo = sourceNo
    this.#bytesMax = bytesMax
    this.relations = new RelationDirectory(pool, sourceNo)
  }

  /** The newest seq that is stored, as far as this process knows. */
  get head(): number {
    return this.#head
  }

  /** Everything before this seq was dropped, as far as this process has noticed. */
  get firstRetained(): number {
    return this.#firstRetained
  }

  /** Bytes in memory, about. */
  get bytes(): number {
    return this.#bytes
  }

  /** Calls back whenever the log grew; answers how to stop that. */
  onGrow(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Reads where the log ends. */
  async refreshHead(): Promise<void> {
    const { rows } = await this.#pool.query<{ head: string }>(
      `select next_seq - 1 as head from millrace.position
       where source_no = $1 order by first_seq desc limit 1`,
      [this.sourceNo],
    )
    this.noteHead(Number(rows[0]?.head ?? 0))
  }

  /** The log reaches this far, as another process says. */
  noteHead(head: number): void {
    if (head <= this.#head) return
    this.#head = head
    for (const listener of this.#listeners) listener()
  }

  /** Entries that the reader in this process has just committed. */
  append(entries: readonly LogEntry[]): void {
    let segment = this.#segments.at(-1)
    for (const entry of entries) {
      if (this.relations.get(entry.relation.relationNo) === undefined) {
        this.relations.add(entry.relation)
      }
      if (segment && entry.seq < segment.first + segment.entries.length) continue
      if (!segment || !isOpen(segment) || entry.seq !== segment.first + segment.entries.length) {
        segment = { first: entry.seq, entries: [], bytes: 0, usedAt: (this.#uses += 1) }
        this.#segments.push(segment)
      }
      const bytes = entry.size + ENTRY_BYTES
      segment.entries.push(entry)
      segment.bytes += bytes
      this.#bytes += bytes
    }
    this.#evict()
    const last = entries.at(-1)
    if (last) this.noteHead(last.seq)
  }

  /** The segment that holds `seq`, if it is in memory. */
  find(seq: number): { entries: readonly LogEntry[]; index: number } | undefined {
    const recent = this.#last
    const segment =
      recent && seq >= recent.first && seq < recent.first + recent.entries.length
        ? recent
        : this.#search(seq)
    if (!segment) return undefined
    this.#last = segment
    segment.usedAt = this.#uses += 1
    return { entries: segment.entries, index: seq - segment.first }
  }

  /** Loads the page that begins at `seq`, once for all who ask. */
  load(seq: number): Promise<void> {
    const running = this.#loads.get(seq)
    if (running) return running
    // Somebody may be loading a page that will hold `seq`: wait for that one first.
    for (const [from, load] of this.#loads) {
      if (seq > from && seq < from + SEGMENT_ENTRIES_MAX) {
        return load.then(() => (this.find(seq) || seq > this.#head ? undefined : this.load(seq)))
      }
    }
    const load = this.#load(seq).finally(() => this.#loads.delete(seq))
    this.#loads.set(seq, load)
    return load
  }

  /** Starts loading the page at `seq` unless it is there, or beyond the end. */
  prefetch(seq: number): void {
    if (seq > this.#head || this.#loads.size > 2 || this.#search(seq)) return
    this.load(seq).catch(() => undefined)
  }

  /** Entries by their numbers, read from the log: see `readSeqs`. */
  readEntries(
    seqs: readonly number[],
    bytesMax: number,
  ): Promise<{ entries: LogEntry[]; gone: number[] }> {
    return readSeqs(this.#pool, this.relations, this.sourceNo, seqs, bytesMax)
  }

  /** A page of some tables and actions only, past the shared memory. */
  async readSelected(
    from: number,
    before: number,
    wants: (relation: Relation) => boolean,
    actions: readonly Action[],
  ): Promise<LogEntry[]> {
    // Shapes are stored with the first change that has them: what the range holds is known after this.
    await this.relations.refresh()
    return readSelected(
      this.#pool,
      this.relations,
      {
        sourceNo: this.sourceNo,
        from,
        before,
        entriesMax: SEGMENT_ENTRIES_MAX,
        bytesMax: SEGMENT_BYTES_MAX,
      },
      {
        relationNos: this.relations
          .list()
          .filter(wants)
          .map((relation) => relation.relationNo),
        actions,
      },
    )
  }

  async #load(seq: number): Promise<void> {
    const next = this.#segments.find((segment) => segment.first > seq)
    const before = Math.min(
      next?.first ?? Number.MAX_SAFE_INTEGER,
      seq + SEGMENT_ENTRIES_MAX,
      this.#head + 1,
    )
    const entries = await readRange(this.#pool, this.relations, {
      sourceNo: this.sourceNo,
      from: seq,
      before,
      entriesMax: SEGMENT_ENTRIES_MAX,
      bytesMax: SEGMENT_BYTES_MAX,
    })
    if (entries.length === 0) await this.#findFirstRetained(seq)
    this.#insert(entries)
  }

  /** Nothing is stored at `seq`, although the log goes beyond: its beginning was dropped. */
  async #findFirstRetained(seq: number): Promise<void> {
    const { rows } = await this.#pool.query<{ first: string | null }>(
      'select min(seq)::text as first from millrace.log where source_no = $1 and seq >= $2',
      [this.sourceNo, seq],
    )
    this.#firstRetained = Number(rows[0]?.first ?? this.#head + 1)
  }

  #insert(entries: LogEntry[]): void {
    const first = entries[0]?.seq
    if (first === undefined || this.#search(first)) return
    const index = this.#segments.findIndex((segment) => segment.first > first)
    // Meanwhile another page may have come in right behind: keep them apart.
    const end = index === -1 ? Number.MAX_SAFE_INTEGER : this.#segments[index]!.first
    const own = entries.filter((entry) => entry.seq < end)
    const bytes = own.reduce((sum, entry) => sum + entry.size + ENTRY_BYTES, 0)
    const segment = { first, entries: own, bytes, usedAt: (this.#uses += 1) }
    if (index === -1) this.#segments.push(segment)
    else this.#segments.splice(index, 0, segment)
    this.#bytes += bytes
    this.#evict()
  }

  #search(seq: number): Segment | undefined {
    const segments = this.#segments
    let low = 0
    let high = segments.length - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const segment = segments[middle]!
      if (seq < segment.first) high = middle - 1
      else if (seq >= segment.first + segment.entries.length) low = middle + 1
      else return segment
    }
    return undefined
  }

  /** Lets go of what was not used for longest. */
  #evict(): void {
    while (this.#bytes > this.#bytesMax && this.#segments.length > SEGMENTS_MIN) {
      let oldest = 0
      for (let index = 1; index < this.#segments.length; index += 1) {
        if (this.#segments[index]!.usedAt < this.#segments[oldest]!.usedAt) oldest = index
      }
      const [segment] = this.#segments.splice(oldest, 1)
      this.#bytes -= segment!.bytes
      if (this.#last === segment) this.#last = undefined
    }
  }
}

function isOpen(segment: Segment): boolean {
  return segment.entries.length < SEGMENT_ENTRIES_MAX && segment.bytes < SEGMENT_BYTES_MAX
}
