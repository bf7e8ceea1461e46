/** When one message was delivered and acked, in ms of the storage's clock. */
export interface RecentAck {
  /** Null: its lease was made by another process. */
  deliveredMs: number | null
  ackedMs: number
}

const CAPACITY_MIN = 256
/** 384 kB of a consumer that acks so many. */
const CAPACITY_MAX = 16_384
/** What is older may be overwritten rather than given more room. */
const WORTH_KEEPING_MS = 30 * 60_000

const FIELDS = 3

/**
 * When the newest messages of a consumer were acked by this process. The storage does
 * not keep it of a message that went well, as that would be a row per message; for
 * people who look at what happened a moment ago, memory will do.
 */
export class RecentAcks {
  /** Seq, delivered, acked; the oldest is overwritten. */
  #ring = new Float64Array(CAPACITY_MIN * FIELDS)
  #count = 0

  add(seq: number, deliveredMs: number, ackedMs: number): void {
    const capacity = this.#ring.length / FIELDS
    if (this.#count >= capacity && capacity < CAPACITY_MAX) this.#grow(ackedMs)
    const at = (this.#count % (this.#ring.length / FIELDS)) * FIELDS
    this.#ring[at] = seq
    this.#ring[at + 1] = deliveredMs
    this.#ring[at + 2] = ackedMs
    this.#count += 1
  }

  /** The newest ack of that message. */
  find(seq: number): RecentAck | undefined {
    const capacity = this.#ring.length / FIELDS
    for (let back = 1; back <= Math.min(this.#count, capacity); back += 1) {
      const at = ((this.#count - back) % capacity) * FIELDS
      if (this.#ring[at] !== seq) continue
      return { deliveredMs: this.#ring[at + 1]! || null, ackedMs: this.#ring[at + 2]! }
    }
    return undefined
  }

  /** Twice the room, with the entries in order, unless what is overwritten is old anyway. */
  #grow(nowMs: number): void {
    const start = (this.#count * FIELDS) % this.#ring.length
    if (this.#ring[start + 2]! < nowMs - WORTH_KEEPING_MS) return
    const ring = new Float64Array(this.#ring.length * 2)
    ring.set(this.#ring.subarray(start))
    ring.set(this.#ring.subarray(0, start), this.#ring.length - start)
    this.#count = this.#ring.length / FIELDS
    this.#ring = ring
  }
}
