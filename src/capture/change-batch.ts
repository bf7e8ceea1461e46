import type { BackfillProgress, Flush, Undecodable } from '../log/append.ts'
import type { LogEntry, Relation } from '../log/entry.ts'
import type { Transaction } from './transaction.ts'

/** What is gathered while a flush runs; with the flush, twice this is in memory. */
const BYTES_MAX = 2 * 1024 * 1024
const ENTRIES_MAX = 5_000
/** Of a change that cannot be decoded; it goes to the storage as text of twice the size. */
const KEPT_BYTES_MAX = 64 * 1024 * 1024
/** What an entry costs in memory besides its texts, about. */
const ENTRY_BYTES = 200

/** What waits for the next flush. */
export class ChangeBatch {
  #entries: LogEntry[] = []
  #undecodable: Undecodable[] = []
  #backfills: BackfillProgress[] = []
  #bytes = 0
  #nextSeq: number

  constructor(nextSeq: number) {
    this.#nextSeq = nextSeq
  }

  /** Of the next entry. */
  get nextSeq(): number {
    return this.#nextSeq
  }

  get count(): number {
    return this.#entries.length + this.#undecodable.length + this.#backfills.length
  }

  /** It holds what a flush should; nothing more need be read before the flush. */
  get isFull(): boolean {
    return this.#bytes >= BYTES_MAX || this.count >= ENTRIES_MAX
  }

  /** Its `seq` is `nextSeq`. */
  add(entry: LogEntry): void {
    this.#entries.push(entry)
    this.#nextSeq += 1
    this.#bytes += entry.size + ENTRY_BYTES
  }

  addProgress(progress: BackfillProgress): void {
    this.#backfills.push(progress)
  }

  /** A change that is not in the log: its bytes are kept instead, for people. */
  setAside(
    { commitLsn, commitIdx }: Transaction,
    buffer: Buffer,
    error: string,
    relation: Relation | null,
  ): void {
    const bytes = Buffer.from(buffer.subarray(0, KEPT_BYTES_MAX))
    const cut = buffer.length - bytes.length
    this.#undecodable.push({
      commitLsn,
      commitIdx,
      relationNo: relation?.relationNo ?? null,
      error: cut === 0 ? error : `${error} (its last ${cut} bytes are not kept)`,
      bytes,
    })
    this.#bytes += bytes.length + ENTRY_BYTES
  }

  /** Everything gathered so far. */
  take(): Pick<Flush, 'entries' | 'undecodable' | 'backfills'> {
    const taken = {
      entries: this.#entries,
      undecodable: this.#undecodable,
      backfills: this.#backfills,
    }
    this.#entries = []
    this.#undecodable = []
    this.#backfills = []
    this.#bytes = 0
    return taken
  }
}
