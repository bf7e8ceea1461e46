import { describe, expect } from 'vitest'

import { pauseConsumer } from '../../src/queue/consumer-store.ts'
import { givenConsumer, givenSource, moveClock, orders } from '../support/given.ts'
import { test } from '../support/queue-process.ts'
import { seqsOf, startProcess, type TestProcess } from '../support/queues.ts'

const WAIT_MS = 20_000

describe('receive', () => {
  test('leases messages in the order of the log', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append(orders(25))

    const first = await process.receive(consumer, { waitMs: WAIT_MS })
    const second = await process.receive(consumer)
    const third = await process.receive(consumer)

    expect([first, second, third].map(seqsOf)).toEqual([
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
      [11, 12, 13, 14, 15, 16, 17, 18, 19, 20],
      [21, 22, 23, 24, 25],
    ])
  })

  test('answers the message of the design', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append([{ id: 7, record: { note: 'a "quote"' } }])

    const received = await process.receive(consumer, { waitMs: WAIT_MS })

    const message = JSON.parse(received.messages[0]!.toJson())
    expect(message).toEqual({
      ack_id: received.messages[0]!.ackId,
      record: { id: 7, note: 'a "quote"' },
      changes: null,
      action: 'insert',
      metadata: {
        table_schema: 'public',
        table_name: 'orders',
        commit_timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z$/),
        commit_lsn: 100,
        commit_idx: 1,
        idempotency_key: expect.any(String),
        database: { id: expect.any(String), name: 'shop' },
        consumer: { id: consumer.id, name: 'inventory' },
      },
      delivery: {
        attempt: 1,
        group: 'orders:7',
        lease_expires_at: expect.stringMatching(/Z$/),
      },
    })
  })

  test('leases each message to one of many concurrent callers', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append(orders(1000))

    const batches = await Promise.all(
      Array.from({ length: 50 }, () =>
        process.receive(consumer, { batchSize: 20, waitMs: WAIT_MS }),
      ),
    )

    const seqs = batches.flatMap(seqsOf)
    expect(seqs).toHaveLength(1000)
    expect(new Set(seqs).size).toBe(1000)
  })

  test('ends its wait when a message comes', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    const received = process.receive(consumer, { waitMs: WAIT_MS })

    await source.append(orders(1))

    expect(seqsOf(await received)).toEqual([1])
  })

  test('skips tables and actions that are not selected', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo, {
      tables: ['public.orders'],
      actions: ['update'],
    })
    await source.append([
      { id: 1 },
      { id: 1, action: 'update' },
      { id: 1, table: 'users', action: 'update' },
      { id: 2, action: 'update' },
    ])

    expect(seqsOf(await process.receive(consumer, { waitMs: WAIT_MS }))).toEqual([2, 4])
  })

  test('leases nothing to a caller that hung up while it waited', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    const hangUp = new AbortController()
    const gone = process.receive(consumer, { waitMs: WAIT_MS, signal: hangUp.signal })
    hangUp.abort()
    await source.append(orders(1))

    expect((await gone).messages).toEqual([])
    const received = await process.receive(consumer, { waitMs: WAIT_MS })
    expect(received.messages.map(({ seq, attempt }) => [seq, attempt])).toEqual([[1, 1]])
  })

  test('takes messages back from a caller that was not answered, attempts uncounted', async ({
    storage,
    process,
  }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append(orders(3))
    const lost = await process.receive(consumer, { waitMs: WAIT_MS })

    await lost.giveBack()
    await lost.giveBack()

    const received = await process.receive(consumer, { waitMs: WAIT_MS })
    expect(received.messages.map(({ seq, attempt }) => [seq, attempt])).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
    ])
  })

  test('never holds more than max_in_flight, and says so', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo, { max_in_flight: 5 })
    await source.append(orders(10))
    const first = await process.receive(consumer, { waitMs: WAIT_MS })
    const none = await process.receive(consumer)

    expect(first.messages).toHaveLength(5)
    expect(none).toMatchObject({ messages: [], limitedBy: 'max_in_flight' })
    await process.ack(consumer, first.messages.slice(0, 2))
    expect(seqsOf(await process.receive(consumer))).toEqual([6, 7])
  })

  test('stays within max_bytes, but delivers one message whatever its size', async ({
    storage,
    process,
  }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append([1, 2, 3].map((id) => ({ id, record: { text: 'x'.repeat(10_000) } })))

    const one = await process.receive(consumer, { waitMs: WAIT_MS, maxBytes: 1 })
    const two = await process.receive(consumer, { maxBytes: 25_000 })

    expect([seqsOf(one), seqsOf(two)]).toEqual([[1], [2, 3]])
  })

  test('refuses more callers than max_waiting', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo, { max_waiting: 2 })
    await process.receive(consumer)
    const hangUp = new AbortController()
    const waiting = [1, 2].map(() =>
      process.receive(consumer, { waitMs: WAIT_MS, signal: hangUp.signal }),
    )

    await expect(async () => process.receive(consumer)).rejects.toMatchObject({
      code: 'too_many_waiters',
    })
    hangUp.abort()
    await Promise.all(waiting)
  })

  test('delivers by itself when the time of a pause is over', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append(orders(1))
    const until = new Date(Date.now() + 3_600_000)
    await pauseConsumer(storage.db, consumer.id, { until, reason: 'stock-taking' })
    await process.queues.refresh()
    expect(await process.receive(consumer)).toMatchObject({ messages: [], limitedBy: 'paused' })
    const waiting = process.receive(consumer, { waitMs: WAIT_MS })

    await moveClock(storage, 3_601_000)

    expect(seqsOf(await waiting)).toEqual([1])
  })

  test('costs no query while nothing happens', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await process.receive(consumer)

    const before = process.countQueries()
    // It ends by its own clock: all of its wait is counted.
    const { messages } = await process.receive(consumer, { waitMs: 500 })
    expect(messages).toEqual([])
    expect(process.countQueries()).toBe(before)

    await source.append(orders(1))
    expect((await process.receive(consumer, { waitMs: WAIT_MS })).messages).toHaveLength(1)
    expect(process.countQueries()).toBeGreaterThan(before)
  })
})

describe('settle', () => {
  test('does not deliver again what was acked', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append(orders(3))
    const { messages } = await process.receive(consumer, { waitMs: WAIT_MS })

    expect(await process.ack(consumer, messages)).toEqual(['acked', 'acked', 'acked'])
    await moveClock(storage, 3_600_000)
    expect((await process.receive(consumer, { waitMs: 50 })).messages).toEqual([])
  })

  test('answers already_acked to a second ack', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append(orders(2))
    const { messages } = await process.receive(consumer, { waitMs: WAIT_MS })
    await process.ack(consumer, messages.slice(0, 1))

    expect(await process.ack(consumer, messages)).toEqual(['already_acked', 'acked'])
    expect(await process.ack(consumer, messages)).toEqual(['already_acked', 'already_acked'])
  })

  test('delivers again at once after the first nack, then with growing delays', async ({
    storage,
    process,
  }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append(orders(1))
    const delays: number[] = []
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      const { messages } = await process.receive(consumer, { waitMs: WAIT_MS })
      expect(messages.map((message) => message.attempt)).toEqual([attempt])
      const before = await clockOf(storage)
      const [result] = await process.settle(consumer, [
        { kind: 'nack', ackId: messages[0]!.ackId, reason: 'no stock' },
      ])
      expect(result!.status).toBe('nacked')
      const visibleAt = Date.parse((result as { visibleAt: string }).visibleAt)
      delays.push(visibleAt - before)
      await moveClock(storage, Math.max(0, visibleAt - before) + 1000)
    }

    expect(delays[0]).toBeLessThan(600)
    for (const [index, expected] of [1000, 2000, 4000, 8000].entries()) {
      expect(delays[index + 1]).toBeGreaterThan(expected * 0.8)
      expect(delays[index + 1]).toBeLessThan(expected * 1.2 + 500)
    }
  })

  test('does not count an attempt that the caller does not want counted', async ({
    storage,
    process,
  }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo, { max_deliveries: 2 })
    await source.append(orders(1))
    for (let round = 0; round < 5; round += 1) {
      const { messages } = await process.receive(consumer, { waitMs: WAIT_MS })
      expect(messages[0]!.attempt).toBe(1)
      await process.settle(consumer, [
        { kind: 'nack', ackId: messages[0]!.ackId, delayMs: 0, countAttempt: false },
      ])
    }
  })

  test('makes a message dead after max_deliveries, and releases its group', async ({
    storage,
    process,
  }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo, { max_deliveries: 2 })
    await source.append([{ id: 1 }, { id: 1, action: 'update' }])
    const first = await process.receive(consumer, { waitMs: WAIT_MS, batchSize: 1 })
    await process.settle(consumer, [{ kind: 'nack', ackId: first.messages[0]!.ackId, delayMs: 0 }])
    const second = await process.receive(consumer, { batchSize: 1, waitMs: WAIT_MS })
    const [result] = await process.settle(consumer, [
      { kind: 'nack', ackId: second.messages[0]!.ackId, reason: 'still no stock' },
    ])

    expect(second.messages[0]).toMatchObject({ seq: 1, attempt: 2 })
    expect(result!.status).toBe('dead_lettered')
    expect(seqsOf(await process.receive(consumer, { waitMs: WAIT_MS }))).toEqual([2])
    expect(await process.queues.getStats(consumer)).toMatchObject({ dead: 1, leased: 1 })
  })

  test('delivers again when the visibility timeout runs out, and a late ack is lost then', async ({
    storage,
    process,
  }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append(orders(1))
    const first = await process.receive(consumer, { waitMs: WAIT_MS, visibilityTimeoutMs: 5000 })
    await moveClock(storage, 5001)

    const second = await process.receive(consumer, { waitMs: WAIT_MS })

    expect(second.messages[0]).toMatchObject({ seq: 1, attempt: 2 })
    expect(await process.ack(consumer, first.messages)).toEqual(['lease_lost'])
    expect(await process.ack(consumer, second.messages)).toEqual(['acked'])
    expect(await process.ack(consumer, first.messages)).toEqual(['lease_lost'])
    expect(await process.ack(consumer, second.messages)).toEqual(['already_acked'])
  })

  test('accepts a late ack as long as nobody else got the message', async ({
    storage,
    process,
  }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo, { max_in_flight: 1 })
    await source.append(orders(2))
    const first = await process.receive(consumer, { waitMs: WAIT_MS, visibilityTimeoutMs: 1000 })
    await moveClock(storage, 1001)

    expect(await process.ack(consumer, first.messages)).toEqual(['acked'])
    expect(seqsOf(await process.receive(consumer, { waitMs: WAIT_MS }))).toEqual([2])
  })

  test('extends single messages of a lease', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append(orders(2))
    const { messages } = await process.receive(consumer, {
      waitMs: WAIT_MS,
      visibilityTimeoutMs: 10_000,
    })
    const [extended] = await process.settle(consumer, [
      { kind: 'extend', ackId: messages[0]!.ackId, visibilityTimeoutMs: 60_000 },
    ])
    expect(extended!.status).toBe('extended')
    await moveClock(storage, 11_000)

    expect(seqsOf(await process.receive(consumer, { waitMs: WAIT_MS }))).toEqual([2])
    expect(await process.ack(consumer, messages)).toEqual(['acked', 'lease_lost'])
  })

  test('extends a lease for twelve hours in total at most', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append(orders(1))
    const { messages } = await process.receive(consumer, { waitMs: WAIT_MS })
    const start = await clockOf(storage)
    const [extended] = await process.settle(consumer, [
      { kind: 'extend', ackId: messages[0]!.ackId, visibilityTimeoutMs: 48 * 3_600_000 },
    ])

    const until = Date.parse((extended as { leaseExpiresAt: string }).leaseExpiresAt)
    expect(until - start).toBeLessThanOrEqual(12 * 3_600_000)
  })

  test('does not extend a lease that is twelve hours old', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append(orders(1))
    const { messages } = await process.receive(consumer, { waitMs: WAIT_MS })
    const extend = async (where: TestProcess) => {
      const [result] = await where.settle(consumer, [
        { kind: 'extend', ackId: messages[0]!.ackId, visibilityTimeoutMs: 12 * 3_600_000 },
      ])
      return result!.status
    }
    expect(await extend(process)).toBe('extended')
    await moveClock(storage, 12 * 3_600_000)
    // This one has read the clock since.
    const later = await startProcess(storage)

    expect(await extend(later)).toBe('lease_lost')
    expect(await later.ack(consumer, messages)).toEqual(['acked'])
    await later.stop()
  })

  test('changes nothing for ids of another consumer', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const inventory = await givenConsumer(storage, source.sourceNo)
    const shipping = await givenConsumer(storage, source.sourceNo, { name: 'shipping' })
    await source.append(orders(1))
    const { messages } = await process.receive(inventory, { waitMs: WAIT_MS })

    expect(await process.ack(shipping, messages)).toEqual(['lease_lost'])
    expect(await process.ack(inventory, messages)).toEqual(['acked'])
  })

  test('refuses what is not an ack id, before anything is changed', async ({
    storage,
    process,
  }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append(orders(1))
    const { messages } = await process.receive(consumer, { waitMs: WAIT_MS })

    await expect(async () =>
      process.settle(consumer, [
        { kind: 'ack', ackId: messages[0]!.ackId },
        { kind: 'ack', ackId: 'nonsense' },
      ]),
    ).rejects.toMatchObject({ code: 'malformed_ack_id', errors: [{ pointer: '/1' }] })
    expect(await process.ack(consumer, messages)).toEqual(['acked'])
  })
})

describe('order', () => {
  test('holds back later messages of a group until the earlier one is settled', async ({
    storage,
    process,
  }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append([{ id: 1 }, { id: 2 }, { id: 1, action: 'update' }, { id: 3 }])
    const first = await process.receive(consumer, { waitMs: WAIT_MS, batchSize: 2 })
    const second = await process.receive(consumer)
    const blocked = await process.receive(consumer)

    expect([seqsOf(first), seqsOf(second)]).toEqual([[1, 2], [4]])
    expect(blocked).toMatchObject({ messages: [], limitedBy: 'blocked_groups' })
    // A full batch was limited by nothing, whatever waits; one that could be fuller says why it is not.
    expect([first.limitedBy, second.limitedBy]).toEqual([null, 'blocked_groups'])
    await process.ack(consumer, first.messages)
    expect(seqsOf(await process.receive(consumer))).toEqual([3])
  })

  test('puts several messages of a group into one lease, in order', async ({
    storage,
    process,
  }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append([{ id: 1 }, { id: 1, action: 'update' }, { id: 1, action: 'delete' }])

    expect(seqsOf(await process.receive(consumer, { waitMs: WAIT_MS }))).toEqual([1, 2, 3])
  })

  test('keeps the rest of a group in order after a partial ack', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append([1, 2, 3, 4, 5].map(() => ({ id: 1 })))
    const { messages } = await process.receive(consumer, { waitMs: WAIT_MS, batchSize: 4 })
    await process.ack(consumer, messages.slice(0, 1))
    await process.settle(consumer, [
      { kind: 'nack', ackId: messages[2]!.ackId, delayMs: 0 },
      { kind: 'nack', ackId: messages[1]!.ackId, delayMs: 5000 },
    ])
    // The fourth is still leased; the third is due, but the second comes first.
    expect((await process.receive(consumer)).messages).toEqual([])
    await process.ack(consumer, messages.slice(3))
    expect((await process.receive(consumer)).messages).toEqual([])
    await moveClock(storage, 6000)

    expect(seqsOf(await process.receive(consumer, { waitMs: WAIT_MS }))).toEqual([2, 3, 5])
  })

  test('keeps both rows in order when an update changes the key', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append([
      { id: 1 },
      { id: 2, oldId: 1, action: 'update' },
      { id: 2, action: 'update' },
      { id: 1 },
    ])
    const first = await process.receive(consumer, { waitMs: WAIT_MS, batchSize: 1 })
    expect((await process.receive(consumer)).messages).toEqual([])
    await process.ack(consumer, first.messages)
    const second = await process.receive(consumer, { batchSize: 1 })
    expect(seqsOf(second)).toEqual([2])
    expect((await process.receive(consumer)).messages).toEqual([])
    await process.ack(consumer, second.messages)

    expect(seqsOf(await process.receive(consumer))).toEqual([3, 4])
  })

  test('groups by any columns', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo, { group_by: ['customer_id'] })
    await source.append([
      { id: 1, record: { customer_id: 7 } },
      { id: 2, record: { customer_id: 7 } },
      { id: 3, record: { customer_id: 8 } },
    ])
    const first = await process.receive(consumer, { waitMs: WAIT_MS, batchSize: 1 })
    const second = await process.receive(consumer)

    expect([seqsOf(first), seqsOf(second)]).toEqual([[1], [3]])
    expect(first.messages[0]!.group).toBe('orders:7')
    await process.ack(consumer, first.messages)
    expect(seqsOf(await process.receive(consumer))).toEqual([2])
  })

  test('does not order when asked not to', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo, { ordering: 'none' })
    await source.append([{ id: 1 }, { id: 1 }])
    const first = await process.receive(consumer, { waitMs: WAIT_MS, batchSize: 1 })
    const second = await process.receive(consumer, { batchSize: 1 })

    expect([seqsOf(first), seqsOf(second)]).toEqual([[1], [2]])
  })
})

describe('several processes', () => {
  test('lease each message once, and keep max_in_flight together', async ({ storage }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo, { max_in_flight: 90 })
    const processes = await Promise.all(
      [1, 2, 3].map(() => startProcess(storage, { hasPeers: true })),
    )
    await source.append(orders(100))

    const received = await Promise.all(
      Array.from({ length: 9 }, (_, index) =>
        processes[index % 3]!.receive(consumer, { waitMs: WAIT_MS }),
      ),
    )
    const none = await processes[0]!.receive(consumer, { waitMs: 100 })

    const seqs = received.flatMap(seqsOf)
    expect(new Set(seqs).size).toBe(seqs.length)
    expect(seqs).toHaveLength(90)
    expect(none).toMatchObject({ messages: [], limitedBy: 'max_in_flight' })
    await Promise.all(processes.map((process) => process.stop()))
  })

  test('settle what another process leased, and wake those who wait there', async ({ storage }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    const one = await startProcess(storage, { hasPeers: true })
    const other = await startProcess(storage, { hasPeers: true })
    await source.append([{ id: 1 }, { id: 1, action: 'update' }])
    const first = await one.receive(consumer, { waitMs: WAIT_MS, batchSize: 1 })
    const waiting = one.receive(consumer, { waitMs: WAIT_MS })

    expect(await other.ack(consumer, first.messages)).toEqual(['acked'])

    expect(seqsOf(await waiting)).toEqual([2])
    await Promise.all([one.stop(), other.stop()])
  })

  test('know a lease made elsewhere after they last looked', async ({ storage }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    const one = await startProcess(storage, { hasPeers: true })
    const other = await startProcess(storage, { hasPeers: true })
    await source.append(orders(20))
    for (let round = 0; round < 4; round += 1) {
      const { messages } = await one.receive(consumer, { waitMs: WAIT_MS, batchSize: 5 })
      expect(await other.ack(consumer, messages)).toEqual([
        'acked',
        'acked',
        'acked',
        'acked',
        'acked',
      ])
    }
    await Promise.all([one.stop(), other.stop()])
  })
})

async function clockOf(storage: { pool: import('pg').Pool }): Promise<number> {
  const { rows } = await storage.pool.query<{ ms: string }>(
    'select (extract(epoch from millrace.clock()) * 1000)::bigint as ms',
  )
  return Number(rows[0]!.ms)
}
