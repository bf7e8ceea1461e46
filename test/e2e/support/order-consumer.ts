import { setTimeout as sleep } from 'node:timers/promises'

import { formatChange } from './order-writer.ts'
import type { Progress } from './progress.ts'
import { send, type OrderMessage, type Settled } from './serve.ts'

const BATCH = 100

/** A service that receives and acks, and goes on when the server is back. */
export class OrderConsumer {
  readonly acked = new Set<string>()
  /** Rows whose first deliveries did not come in commit order. */
  readonly disorder: string[] = []
  readonly #name: string
  readonly #findServer: () => string
  readonly #progress: Progress
  readonly #seen = new Map<number, number>()
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined

  constructor(name: string, findServer: () => string, progress: Progress) {
    this.#name = name
    this.#findServer = findServer
    this.#progress = progress
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      try {
        await this.#receiveAndAck()
      } catch {
        // The server is away, or went while it answered; what was leased comes again.
        await sleep(20)
      }
    }
  }

  async #receiveAndAck(): Promise<void> {
    const base = `${this.#findServer()}/v1/consumers/${this.#name}`
    const { signal } = this.#stopping
    const received = await send<{ data: OrderMessage[] }>(`${base}/receive`, {
      body: { batch_size: BATCH, wait_for: '1s' },
      signal,
    })
    if (received.status !== 200) throw new Error(JSON.stringify(received))
    const messages = received.body.data
    if (messages.length === 0) return
    for (const { record } of messages) this.#see(record.id, record.version)
    this.#progress.note('received', messages.length)

    const changes = new Map(
      messages.map(({ ack_id, record }) => [ack_id, formatChange(record.id, record.version)]),
    )
    const { results } = await this.#ack([...changes.keys()])
    for (const { ack_id, status } of results) {
      if (status === 'acked' || status === 'already_acked') this.acked.add(changes.get(ack_id)!)
    }
    this.#progress.note('acked', results.length)
  }

  /** Until it is answered: an ack that was cut off may have been taken, and then nothing comes again. */
  async #ack(ackIds: string[]): Promise<{ results: Settled[] }> {
    while (!this.#stopping.signal.aborted) {
      try {
        const answer = send<{ results: Settled[] }>(
          `${this.#findServer()}/v1/consumers/${this.#name}/ack`,
          { body: { ack_ids: ackIds } },
        )
        this.#progress.note('ack sent', ackIds.length)
        const { status, body } = await answer
        if (status === 200 || status === 207) return body
      } catch {
        // The server is away; its successor knows.
      }
      await sleep(20)
    }
    return { results: [] }
  }

  /** Versions of a row begin with 1: one that is skipped is as wrong as one too late. */
  #see(id: number, version: number): void {
    const newest = this.#seen.get(id) ?? 0
    if (version <= newest) return
    if (version !== newest + 1) this.disorder.push(`${id}: ${version} came after ${newest}`)
    this.#seen.set(id, version)
  }
}
