import type { LeasedMessage } from '../queue/queue-service.ts'
import type { HeldMessage, Shipment } from './backlog.ts'
import type { Clock } from './clock.ts'
import type { Settler } from './settler.ts'

interface LeaseKeeperOptions {
  clock: Clock
  settler: Pick<Settler, 'settle'>
  /** How long a request may take. */
  timeoutMs: number
}

/** A lease lasts this much longer than a request may. */
const LEASE_MARGIN_MS = 15_000
/** What a lease's end is taken to be too early: the way of the answer, and clocks. */
const LEASE_DOUBT_MS = 2000

/** How long messages are leased for, and that what is sent is ours until its answer. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions
  readonly leaseMs: number

  constructor(options: LeaseKeeperOptions) {
    this.#options = options
    this.leaseMs = leaseMsOf(options.timeoutMs)
  }

  /** Messages that were leased just now. */
  hold(messages: readonly LeasedMessage[]): HeldMessage[] {
    const leasedUntilMs = this.#untilMs()
    return messages.map((message) => ({ message, leasedUntilMs }))
  }

  /** Messages whose lease may end before a request would. */
  listLate({ parts }: Shipment): HeldMessage[] {
    const needMs = this.#options.clock.now() + this.#options.timeoutMs
    const late: HeldMessage[] = []
    for (const { messages } of parts) {
      for (const held of messages) if (held.leasedUntilMs < needMs) late.push(held)
    }
    return late
  }

  /** Leases messages for as long again; those that are lost keep the end they had. */
  async extend(messages: readonly HeldMessage[]): Promise<void> {
    if (messages.length === 0) return
    const visibilityTimeoutMs = this.leaseMs
    const results = await this.#options.settler.settle(
      messages.map(({ message: { ackId } }) => ({ kind: 'extend', ackId, visibilityTimeoutMs })),
    )
    const untilMs = this.#untilMs()
    results.forEach(({ status }, index) => {
      if (status === 'extended') messages[index]!.leasedUntilMs = untilMs
    })
  }

  #untilMs(): number {
    return this.#options.clock.now() + this.leaseMs - LEASE_DOUBT_MS
  }
}

/** Of messages whose request may take so long. */
export function leaseMsOf(timeoutMs: number): number {
  return timeoutMs + LEASE_MARGIN_MS
}
