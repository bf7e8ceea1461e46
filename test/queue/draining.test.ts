import { describe, expect } from 'vitest'

import { moveQueue } from '../../src/queue/operations/move-queue.ts'
import { givenConsumer, givenSource, orders } from '../support/given.ts'
import { test } from '../support/queue-process.ts'
import { startProcess, untilTickWaits } from '../support/queues.ts'

const WAIT_MS = 20_000

describe('draining', () => {
  test('answers who waits with nothing, and settles on', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append(orders(1))
    const { messages } = await process.receive(consumer, { waitMs: WAIT_MS })
    const waiting = process.receive(consumer, { waitMs: WAIT_MS })
    for (let waiters = 0; waiters === 0;) ({ waiters } = await process.queues.getStats(consumer))

    process.queues.drain()

    expect((await waiting).messages).toEqual([])
    expect(await process.ack(consumer, messages)).toEqual(['acked'])
    await expect(async () => process.receive(consumer)).rejects.toMatchObject({ code: 'draining' })
  })

  test('gives back what was being leased meanwhile, attempts uncounted', async ({
    storage,
    process,
  }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    const other = await startProcess(storage, { hasPeers: true })
    await source.append(orders(3))
    // No tick is stored while an operator's change is under way.
    let drained = (): void => {}
    const change = moveQueue(storage.db, consumer, async (_trx, position) => {
      await new Promise<void>((resolve) => (drained = resolve))
      return { result: null, position }
    })
    const waiting = process.receive(consumer, { waitMs: WAIT_MS })
    await untilTickWaits(storage)

    process.queues.drain()
    expect((await waiting).messages).toEqual([])
    drained()
    await change
    await process.queues.stop()

    const received = await other.receive(consumer, { waitMs: WAIT_MS })
    expect(received.messages.map(({ seq, attempt }) => [seq, attempt])).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
    ])
    await other.stop()
  })
})
