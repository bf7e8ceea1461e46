import { createClient } from '@millrace/client'

import { TOKEN } from './millrace-server.ts'
import { placeOrders } from './orders.ts'

const ORDERS_AT_ONCE = 2000
const PER_TRANSACTION = 100
const BATCH_SIZE = 500
const WORKERS = 2

interface SteadyLoadOptions {
  readonly shopUrl: string
  readonly serverUrl: string
  readonly consumers: readonly string[]
  /** Orders a second, as far as the machine keeps up. */
  readonly rate: number
}

/** Orders that keep coming, and services that keep up with them, until it is stopped. */
export class SteadyLoad {
  readonly #options: SteadyLoadOptions
  readonly #halt = new AbortController()
  #running: Promise<unknown> | undefined
  #placed = 0
  #acked = 0

  constructor(options: SteadyLoadOptions) {
    this.#options = options
  }

  /** So far. */
  get placed(): number {
    return this.#placed
  }

  /** So far, by all consumers together. */
  get acked(): number {
    return this.#acked
  }

  start(): void {
    const { consumers } = this.#options
    this.#running ??= Promise.all([
      this.#placeOrders(),
      ...consumers.flatMap((name) => Array.from({ length: WORKERS }, () => this.#consume(name))),
    ])
  }

  async stop(): Promise<void> {
    this.#halt.abort()
    await this.#running
  }

  async #placeOrders(): Promise<void> {
    const { shopUrl, rate } = this.#options
    const begun = performance.now()
    while (!this.#halt.signal.aborted) {
      const earlyMs = (this.#placed / rate) * 1000 - (performance.now() - begun)
      if (earlyMs > 0) await new Promise((resolve) => setTimeout(resolve, earlyMs))
      await placeOrders(shopUrl, { count: ORDERS_AT_ONCE, perTransaction: PER_TRANSACTION })
      this.#placed += ORDERS_AT_ONCE
    }
  }

  async #consume(name: string): Promise<void> {
    const client = createClient({ baseUrl: this.#options.serverUrl, token: TOKEN })
    while (!this.#halt.signal.aborted) {
      const { data } = await client.receive(name, { batchSize: BATCH_SIZE, waitFor: '1s' })
      const ids = data.map(({ ack_id: id }) => id)
      if (ids.length > 0) await client.ack(name, ids)
      this.#acked += ids.length
    }
  }
}
