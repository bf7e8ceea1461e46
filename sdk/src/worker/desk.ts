import { LeaseLostError } from '../errors.ts'
import type { Message, UnknownRow } from '../message.ts'
import type { SettleAnswer } from '../queue-client.ts'
import { Nacked, PermanentError, type NackChoice } from './outcome.ts'
import type { QueueWorker } from './worker.ts'

/** How a consumed message is settled: once, and whichever is called first counts. */
export interface Settling {
  /** Resolves when the server has answered. @throws LeaseLostError, or what the request threw */
  ack(): Promise<void>
  /** Again, later. Resolves and throws as `ack`. */
  nack(options?: NackChoice): Promise<void>
  /** Never again. Resolves and throws as `ack`. */
  deadLetter(reason: string): Promise<void>
  /**
   * Asks for the full time once more, now. It is extended without asking too: this is for
   * being sure, before a step that cannot be undone. @throws LeaseLostError
   */
  extend(): Promise<void>
  /** Aborts when the lease is lost, `maxProcessingMs` is over, or the loop has ended. */
  signal: AbortSignal
}

export type ConsumedMessage<Row = UnknownRow> = Message<Row> & Settling

/** Messages that are out and not settled; the next one waits for one of them. */
const UNSETTLED_MAX = 1000

type Status = 'acked' | 'nacked' | 'dead_lettered'

/** How the server's answer for one message comes back to who settled it. */
interface Answering {
  resolve: (status: Status) => void
  reject: (error: unknown) => void
}

/** Between a worker, which pushes messages, and a loop, which pulls them. */
export class Desk<Row> {
  /** Messages that the loop has and did not settle. */
  unsettled = 0
  /** 1 while the loop waits for a message, else 0. */
  wanted = 0
  #worker: QueueWorker<Row> | undefined
  #extend: ((ackId: string) => Promise<SettleAnswer>) | undefined
  #waiting: ((message: ConsumedMessage<Row> | undefined) => void) | undefined
  #closed = false
  readonly #answering = new Map<string, Answering>()

  serve(worker: QueueWorker<Row>, extend: (ackId: string) => Promise<SettleAnswer>): void {
    this.#worker = worker
    this.#extend = extend
    worker.on('settled', ({ message, status }) => this.#answer(message)?.resolve(status))
    worker.on('leaseLost', ({ message, error }) => this.#answer(message)?.reject(error))
    worker.on('error', ({ message, error }) => message && this.#answer(message)?.reject(error))
  }

  /** The next message; undefined: there will be none. */
  next(): Promise<ConsumedMessage<Row> | undefined> {
    if (this.#closed) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      this.#waiting = resolve
      this.#ask()
    })
  }

  close(): void {
    this.#closed = true
    this.#waiting?.(undefined)
    this.#waiting = undefined
  }

  /** Rejects or resolves as the message is settled, which is what a worker's handler does. */
  handOver(message: Message<Row>, signal: AbortSignal): Promise<void> {
    this.wanted = 0
    this.unsettled++
    const settled = new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      if (signal.aborted) reject(signal.reason as Error)
      // The loop ended between asking and getting: as if it had never been delivered.
      if (!this.#waiting) reject(new Nacked({ delay: 0, countAttempt: false }))
      this.#waiting?.(this.#withSettling(message, signal, resolve, reject))
      this.#waiting = undefined
    })
    return settled.finally(() => {
      this.unsettled--
      this.#ask()
    })
  }

  #ask(): void {
    if (!this.#waiting || this.wanted > 0 || this.unsettled >= UNSETTLED_MAX) return
    this.wanted = 1
    this.#worker?.refresh()
  }

  #withSettling(
    message: Message<Row>,
    signal: AbortSignal,
    resolve: () => void,
    reject: (error: Error) => void,
  ): ConsumedMessage<Row> {
    const answer = new Promise<Status>((settled, failed) => {
      this.#answering.set(message.ack_id, { resolve: settled, reject: failed })
    })
    // Nobody needs to ask how it ended.
    answer.catch(() => {})
    const expect = async (expected: Status) => {
      // Another status: time was over, and the message is no longer ours.
      if ((await answer) !== expected) throw new LeaseLostError([message.ack_id])
    }
    const settling: Settling = {
      signal,
      ack: () => (resolve(), expect('acked')),
      nack: async (options = {}) => (reject(new Nacked(options)), expect('nacked')),
      deadLetter: (reason) => (reject(new PermanentError(reason)), expect('dead_lettered')),
      extend: async () => {
        const extended = await this.#extend?.(message.ack_id)
        if (extended?.results[0]?.status !== 'extended') throw new LeaseLostError([message.ack_id])
      },
    }
    // Not enumerable: a message that is logged or stored is the message.
    for (const [key, value] of Object.entries(settling)) {
      Object.defineProperty(message, key, { value })
    }
    return message as ConsumedMessage<Row>
  }

  #answer(message: Message<Row>): Answering | undefined {
    const answering = this.#answering.get(message.ack_id)
    this.#answering.delete(message.ack_id)
    return answering
  }
}
