/** Transaction ids in the stream have 32 bits of the 64 that a snapshot has. */
const EPOCH = 2n ** 32n
const SNAPSHOT = /^(\d+):(\d+):((?:\d+(?:,\d+)*)?)$/

/** What a query could see: Postgres' `pg_snapshot`. */
export class Snapshot {
  /** Low halves of the numbers, and how far they are apart. */
  readonly #xmax: number
  readonly #span: number
  /** Transactions between the two that ran while it was taken, as the stream numbers them. */
  readonly #running: ReadonlySet<number>

  /** Takes the text of `pg_current_snapshot()`. */
  constructor(text: string) {
    const match = SNAPSHOT.exec(text)
    if (!match) throw new Error(`"${text}" is not a snapshot`)
    const xmax = BigInt(match[2]!)
    this.#xmax = Number(xmax % EPOCH)
    this.#span = Number(xmax - BigInt(match[1]!))
    const running = match[3] === '' ? [] : match[3]!.split(',')
    this.#running = new Set(running.map((xid) => Number(BigInt(xid) % EPOCH)))
  }

  /**
   * Whether the query saw what this transaction, of which the commit was streamed, has done.
   * One that is newer than all that had ended is not among those that ran: it was not seen either.
   */
  sees(xid: number): boolean {
    // The nearest transaction of that number: no two that matter are 2^31 apart.
    const before = (this.#xmax - xid) | 0
    if (before <= 0) return false
    return before > this.#span || !this.#running.has(xid)
  }
}
