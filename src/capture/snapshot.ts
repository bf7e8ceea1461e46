/** Transaction ids in the stream have 32 bits of the 64 that a snapshot has. */
const EPOCH = 2n ** 32n
const SNAPSHOT = /^(\d+):(\d+):((?:\d+(?:,\d+)*)?)$/

/** What a query could see: Postgres' `pg_snapshot`. */
export class Snapshot {
  /** Transactions that ran while it was taken, as the stream numbers them. */
  readonly running: ReadonlySet<number>
  readonly #xmin: bigint
  readonly #xmax: bigint

  /** Takes the text of `pg_current_snapshot()`. */
  constructor(text: string) {
    const match = SNAPSHOT.exec(text)
    if (!match) throw new Error(`"${text}" is not a snapshot`)
    this.#xmin = BigInt(match[1]!)
    this.#xmax = BigInt(match[2]!)
    const running = match[3] === '' ? [] : match[3]!.split(',')
    this.running = new Set(running.map((xid) => Number(BigInt(xid) % EPOCH)))
  }

  /** Whether the query saw what this transaction, of which the commit was streamed, has done. */
  sees(xid: number): boolean {
    // The nearest transaction of that number: no two that matter are 2^31 apart.
    const distance = BigInt((Number(this.#xmax % EPOCH) - xid) | 0)
    const full = this.#xmax - distance
    if (full >= this.#xmax) return false
    return full < this.#xmin || !this.running.has(xid)
  }
}
