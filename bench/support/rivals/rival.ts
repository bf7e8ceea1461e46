/** What every system of the fan-out is to do: each message to each of the queues, until the last ack. */
export interface RivalTask {
  readonly system: string
  readonly url: string
  readonly queues: readonly string[]
  readonly messages: number
  readonly workers: number
  readonly batchSize: number
  /** A slow one is not waited for: its rate is that of what it did until then. */
  readonly secondsMax: number
}

export interface RivalAnswer {
  /** Acked, of all queues. */
  readonly messages: number
  readonly seconds: number
}

/** A queue in Postgres, used as its authors advise. */
export interface Rival {
  /** Makes its tables and queues. */
  prepare(): Promise<void>
  /** Puts the bodies into every queue. */
  enqueue(bodies: readonly object[]): Promise<void>
  /** Begins to work off all queues; `onAcked` is told of what is acked. */
  work(onAcked: (count: number) => void): void
  close(): Promise<void>
}

/** Orders put in at once. */
export const ENQUEUED_AT_ONCE = 1000

/** The record of an order as ours has it; the metadata that ours adds is spared to the others. */
export function makeBody(n: number): object {
  return {
    id: n,
    customer_id: n % 5000,
    product_id: n % 997,
    quantity: (n % 9) + 1,
    total_price: (n % 100_000) / 100,
    status: 'placed',
    shipping_address: `${n % 900} Main Street, Apartment ${n % 77}, Anytown, USA`,
    comment: `Leave it with the neighbours at number ${n % 300} if nobody opens. ${'x'.repeat(90)}`,
    order_date: new Date(1_767_225_600_000 + n * 1000).toISOString(),
  }
}
