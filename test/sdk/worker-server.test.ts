import { describe, expect } from 'vitest'

import {
  createWorker,
  PermanentError,
  RetryLater,
  type Client,
  type HandlerContext,
  type Message,
} from '../../sdk/src/index.ts'
import { orders } from '../support/given.ts'
import { createGate, type Gate } from './support/gate.ts'
import { CONSUMER, test } from './support/server.ts'

interface Order {
  id: number
}

const COUNT = 300
/** Rows share groups: 100 rows are changed three times. */
const ROWS = 100
/** More than a busy machine stands still for: a lease that is lost to that is no fault of the worker. */
const VISIBILITY_MS = 3000

const isSlow = (seq: number) => seq % 50 === 7
const failsFirst = (seq: number) => seq % 7 === 0
const isHopeless = (seq: number) => seq % 31 === 0

/** Notes every handling, and what must never be. */
class Witness {
  readonly violations: string[] = []
  readonly ended = new Set<number>()
  readonly #running = new Set<number>()
  readonly #extensions = new Map<string, number>()
  readonly #slow = new Map<string, Gate>()
  #onEnd: (() => void) | undefined

  /** A client whose extensions are noted: they are what slow handlers wait for. */
  watch(client: Client): Client {
    return {
      ...client,
      extend: async (consumer, ackIds, options) => {
        const answer = await client.extend(consumer, ackIds, options)
        for (const { ack_id, status } of answer.results) {
          if (status === 'extended') this.#noteExtension(ack_id)
        }
        return answer
      },
    }
  }

  #noteExtension(ackId: string): void {
    const count = (this.#extensions.get(ackId) ?? 0) + 1
    this.#extensions.set(ackId, count)
    // Four thirds of the visibility timeout are over.
    if (count >= 4) this.#slow.get(ackId)?.open()
  }

  async handle(message: Message<Order>, { signal }: HandlerContext): Promise<void> {
    const seq = message.metadata.commit_lsn / 100
    if (this.#running.has(seq)) this.violations.push(`${seq} is handled twice at the same time`)
    if (this.ended.has(seq)) this.violations.push(`${seq} is handled after its end`)
    if (seq > ROWS && !this.ended.has(seq - ROWS)) this.violations.push(`${seq} is too early`)
    this.#running.add(seq)
    try {
      if (isSlow(seq)) await this.#waitForExtensions(message.ack_id, signal)
      if (isHopeless(seq)) throw new PermanentError('hopeless')
      if (failsFirst(seq) && message.delivery.attempt === 1) throw new RetryLater(0)
    } finally {
      this.#running.delete(seq)
    }
  }

  async #waitForExtensions(ackId: string, signal: AbortSignal): Promise<void> {
    const gate = createGate()
    this.#slow.set(ackId, gate)
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error))
    })
    await Promise.race([gate, aborted])
  }

  noteEnd(message: Message<Order>): void {
    this.ended.add(message.metadata.commit_lsn / 100)
    this.#onEnd?.()
  }

  /** Resolves when so many messages have come to an end. */
  async waitForEnds(count: number): Promise<void> {
    while (this.ended.size < count) await new Promise<void>((resolve) => (this.#onEnd = resolve))
  }
}

function startWorker(client: Client, witness: Witness) {
  const worker = createWorker<Order>(witness.watch(client), {
    consumer: CONSUMER,
    concurrency: 20,
    batchSize: 25,
    visibilityTimeoutMs: VISIBILITY_MS,
    handle: (message, context) => witness.handle(message, context),
  })
  // An ack that the server has taken, though its answer is on the way, ends the message too.
  worker.on('processed', ({ message }) => witness.noteEnd(message))
  worker.on('settled', ({ message, status }) => {
    if (status === 'dead_lettered') witness.noteEnd(message)
  })
  worker.on('leaseLost', ({ message }) => witness.violations.push(`${message.ack_id} is lost`))
  return { worker, done: worker.run() }
}

describe('a worker, with a server,', () => {
  test('settles each of many messages once, though handlers fail, are slow, and are stopped', async ({
    client,
    source,
  }) => {
    const witness = new Witness()
    await source.append(orders(COUNT).map(({ id }) => ({ id: (Number(id) - 1) % ROWS })))

    const first = startWorker(client, witness)
    await witness.waitForEnds(COUNT / 3)
    await first.worker.stop({ graceMs: 0 })
    await first.done
    expect(await client.consumers.stats(CONSUMER)).toMatchObject({ leased: 0 })
    const second = startWorker(client, witness)
    await witness.waitForEnds(COUNT)
    await second.worker.stop()
    await second.done

    expect(witness.violations).toEqual([])
    expect(await client.consumers.stats(CONSUMER)).toMatchObject({
      backlog: 0,
      leased: 0,
      retrying: 0,
      waiting: 0,
      dead: Math.floor(COUNT / 31),
    })
  })

  test('settles what a handler says of a message, whatever that is, and the others beside it', async ({
    client,
    source,
  }) => {
    await source.append(orders(6))
    const thrown: Record<number, () => unknown> = {
      1: () => new Error(`not \0 text, nor half a pair: ${'😀'.slice(0, 1)}`),
      2: () => new RetryLater(3_600_000 / 7),
      3: () => new RetryLater('13h'),
      4: () => new RetryLater('soon'),
      5: () => new PermanentError(`${'\0'.repeat(1000)}${'ü'.repeat(1000)}`),
    }
    const worker = createWorker<Order>(client, {
      consumer: CONSUMER,
      batchSize: 6,
      // Once: those that come again at once would do so for ever.
      handle: ({ record: { id = 0 }, delivery }) => {
        const make = thrown[id]
        if (make && delivery.attempt === 1) throw make()
        if (make) throw new RetryLater('1h')
      },
    })
    const settled = new Set<number>()
    const allSettled = new Promise<void>((resolve) => {
      worker.on('settled', ({ message }) => {
        settled.add(message.record.id ?? 0)
        if (settled.size === 6) resolve()
      })
    })
    const done = worker.run()

    await Promise.race([allSettled, done])
    await worker.stop()
    await done

    expect(settled).toEqual(new Set([1, 2, 3, 4, 5, 6]))
    const { data } = await client.consumers.messages(CONSUMER, { state: 'dead' })
    expect(data.map(({ reason }) => reason)).toEqual(['\uFFFD'.repeat(682)])
  })

  test('gives messages to a loop, which settles them', async ({ client, source }) => {
    await source.append(orders(30))
    const seen: number[] = []

    for await (const message of client.consume<Order>(CONSUMER)) {
      seen.push(message.record.id ?? 0)
      await message.ack()
      if (seen.length === 30) break
    }

    expect(seen).toEqual(orders(30).map(({ id }) => id))
    expect(await client.consumers.stats(CONSUMER)).toMatchObject({ backlog: 0, leased: 0 })
  })
})
