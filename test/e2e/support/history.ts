/** One message as an answer delivered it. `expiresAt` is in the history's ms. */
export interface Delivered {
  readonly ackId: string
  readonly id: number
  readonly version: number
  readonly expiresAt: number
}

interface Outcome {
  readonly ackId: string
  readonly status: string
  /** Of an extended lease. */
  readonly expiresAt?: number
}

/** What a client asks for. */
export type Request = { f: 'receive' } | { f: 'ack' | 'nack' | 'extend'; ackIds: readonly string[] }

/**
 * `ok`: answered. `fail`: it certainly has not happened. `info`: nobody knows, as when
 * the client hung up or the server was killed. Times are ms of one clock that never jumps.
 */
export type Event =
  | ({ type: 'invoke'; at: number; op: number; client: number } & Request)
  | {
      type: 'ok'
      at: number
      op: number
      delivered?: readonly Delivered[]
      /** Why there were not more of them. */
      limitedBy?: string | null
      outcomes?: readonly Outcome[]
    }
  | { type: 'fail' | 'info'; at: number; op: number; reason: string }

/** Of a call that its client gave up. */
export const HUNG_UP = 'hung up'

/** What clients saw, in the order they saw it. */
export class History {
  readonly events: Event[] = []
  /** Acks that were taken, by the message: how far the clients are. */
  readonly acked = new Set<string>()
  readonly #names = new Map<string, string>()
  #ops = 0

  /** Ms since 1970, by a clock that is set once: comparable with the storage's on one machine. */
  now(): number {
    return performance.timeOrigin + performance.now()
  }

  invoke(client: number, request: Request): number {
    const op = this.#ops++
    this.events.push({ type: 'invoke', at: this.now(), op, client, ...request })
    return op
  }

  answered(
    op: number,
    what: { delivered: Delivered[]; limitedBy: string | null } | { outcomes: Outcome[] },
  ): void {
    this.events.push({ type: 'ok', at: this.now(), op, ...what })
    if ('delivered' in what) {
      for (const { ackId, id, version } of what.delivered)
        this.#names.set(ackId, `${id}:${version}`)
    } else {
      for (const { ackId, status } of what.outcomes) {
        const isAcked = status === 'acked' || status === 'already_acked'
        if (isAcked) this.acked.add(this.#names.get(ackId)!)
      }
    }
  }

  broken(op: number, type: 'fail' | 'info', reason: string): void {
    this.events.push({ type, at: this.now(), op, reason })
  }
}
