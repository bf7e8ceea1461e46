import { describe, expect } from 'vitest'

import { createConsumer } from '../../src/queue/consumer-store.ts'
import { discardMessages, redriveMessages } from '../../src/queue/operations/redrive.ts'
import { listMessages } from '../../src/queue/operations/list-messages.ts'
import { purgeConsumer } from '../../src/queue/operations/purge.ts'
import { seekConsumer } from '../../src/queue/operations/seek.ts'
import { showChange } from '../../src/queue/operations/show-change.ts'
import { startReplay } from '../../src/queue/operations/replay.ts'
import { givenConsumer, givenSource, orders } from '../support/given.ts'
import { test } from '../support/queue-process.ts'
import { seqsOf } from '../support/queues.ts'

const WAIT_MS = 20_000

describe('seek', () => {
  test('delivers everything after the target again, and takes leases away', async ({
    storage,
    process,
  }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append(orders(10))
    const first = await process.receive(consumer, { waitMs: WAIT_MS, batchSize: 4 })
    await process.ack(consumer, first.messages)
    const second = await process.receive(consumer, { batchSize: 4 })

    const dry = await seekConsumer(storage.db, consumer, { seq: 3 }, { dryRun: true })
    expect(dry).toEqual({ cursorSeq: 2, wouldRedeliver: 6, wouldSkip: 0 })
    const result = await seekConsumer(storage.db, consumer, { seq: 3 }, { dryRun: false })

    expect(result).toEqual(dry)
    expect(seqsOf(await process.receive(consumer, { waitMs: WAIT_MS }))).toEqual([
      3, 4, 5, 6, 7, 8, 9, 10,
    ])
    expect(await process.ack(consumer, second.messages)).toEqual(Array(4).fill('lease_lost'))
  })

  test('counts what is skipped, whatever state it is in', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append([{ id: 1 }, { id: 2 }, { id: 3 }, { id: 1 }, { id: 4 }, { id: 5 }])
    // Held: 1, 2 and 5, behind the target as well; waiting: 4; ahead: 6.
    const one = await process.receive(consumer, { waitMs: WAIT_MS, batchSize: 3 })
    await process.receive(consumer, { batchSize: 1 })
    await process.settle(consumer, [
      { kind: 'nack', ackId: one.messages[2]!.ackId, delayMs: 60_000 },
    ])

    const forward = await seekConsumer(storage.db, consumer, { seq: 5 }, { dryRun: true })
    const latest = await seekConsumer(storage.db, consumer, 'latest', { dryRun: false })

    expect(forward).toEqual({ cursorSeq: 4, wouldRedeliver: 1, wouldSkip: 4 })
    expect(latest).toEqual({ cursorSeq: 6, wouldRedeliver: 0, wouldSkip: 6 })
    expect((await process.receive(consumer)).messages).toEqual([])
  })

  test('finds the first change at a time or an LSN', async ({ storage }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append(orders(500))
    const { rows } = await storage.pool.query('select millrace.clock() as now')
    await source.append(orders(500, 501))

    const byTime = await seekConsumer(storage.db, consumer, { time: rows[0].now }, { dryRun: true })
    const byLsn = await seekConsumer(storage.db, consumer, { commitLsn: '70000' }, { dryRun: true })

    expect(byTime.cursorSeq).toBe(500)
    expect(byLsn.cursorSeq).toBe(699)
  })
})

describe('replay', () => {
  test('delivers a range again beside the cursor, and says so', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append(orders(6))
    const all = await process.receive(consumer, { waitMs: WAIT_MS })
    await process.ack(consumer, all.messages)

    const replay = await startReplay(storage.db, consumer, {
      from: { seq: 2 },
      to: { seq: 5 },
      key: null,
    })
    await source.append(orders(1, 7))
    const again = await process.receive(consumer, { waitMs: WAIT_MS })

    expect(replay).toEqual({ replayNo: 1, total: 3 })
    expect(seqsOf(again).slice(0, 3)).toEqual([2, 3, 4])
    expect(JSON.parse(again.messages[0]!.toJson()).delivery.replay).toBe(1)
    expect(await process.ack(consumer, again.messages)).not.toContain('lease_lost')
    expect((await process.receive(consumer)).messages.map(({ seq }) => seq)).not.toContain(2)
  })

  test('of one key delivers only that row', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append([{ id: 1 }, { id: 2 }, { id: 1, action: 'update' }])
    const all = await process.receive(consumer, { waitMs: WAIT_MS })
    await process.ack(consumer, all.messages)
    await startReplay(storage.db, consumer, { from: 'earliest', to: 'latest', key: '2' })

    expect(seqsOf(await process.receive(consumer, { waitMs: WAIT_MS }))).toEqual([2])
  })
})

describe('dead letters', () => {
  test('are redriven, or skipped when their row has moved on', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append([{ id: 1 }, { id: 2 }, { id: 1, action: 'update' }])
    const { messages } = await process.receive(consumer, { waitMs: WAIT_MS })
    await process.settle(consumer, [
      { kind: 'dead_letter', ackId: messages[0]!.ackId, reason: 'no such customer' },
      { kind: 'dead_letter', ackId: messages[1]!.ackId },
      { kind: 'ack', ackId: messages[2]!.ackId },
    ])
    const dead = await listMessages(storage.db, consumer, { state: 'dead', limit: 10 })

    const result = await redriveMessages(storage.db, consumer, 'all', { skipSuperseded: true })

    expect(dead.map(({ seq, reason }) => [seq, reason])).toEqual([
      [1, 'no such customer'],
      [2, null],
    ])
    expect(result).toEqual({ redriven: 1, superseded: [1], skipped: 1, remaining: 1 })
    const again = await process.receive(consumer, { waitMs: WAIT_MS })
    expect(again.messages.map(({ seq, attempt }) => [seq, attempt])).toEqual([[2, 2]])
  })

  test('are superseded by any later change of their row, one of its key included', async ({
    storage,
    process,
  }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo, { actions: ['insert'] })
    await source.append([
      { id: 1 },
      { id: 2 },
      { id: 3 },
      { id: 2, action: 'update' },
      { id: 30, oldId: 3, action: 'update' },
      { id: 1, table: 'users' },
      { id: 9 },
      { id: 1 },
    ])
    const { messages } = await process.receive(consumer, { waitMs: WAIT_MS, batchSize: 5 })
    await process.settle(
      consumer,
      messages.slice(0, 3).map(({ ackId }) => ({ kind: 'dead_letter', ackId })),
    )
    await seekConsumer(storage.db, consumer, { seq: 8 }, { dryRun: false })

    const result = await redriveMessages(storage.db, consumer, 'all', { skipSuperseded: false })

    // Of row 1 there is a later change, which the cursor has yet to reach; one of another table is none.
    expect(result).toEqual({ redriven: 3, superseded: [2, 3], skipped: 0, remaining: 0 })
  })

  test('are discarded for good', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append(orders(2))
    const { messages } = await process.receive(consumer, { waitMs: WAIT_MS })
    await process.settle(
      consumer,
      messages.map(({ ackId }) => ({ kind: 'dead_letter', ackId })),
    )

    expect(await discardMessages(storage.db, consumer, { seqs: [1] })).toBe(1)
    expect(await redriveMessages(storage.db, consumer, 'all', { skipSuperseded: false })).toEqual({
      redriven: 1,
      superseded: [],
      skipped: 0,
      remaining: 0,
    })
    expect(seqsOf(await process.receive(consumer, { waitMs: WAIT_MS }))).toEqual([2])
  })
})

describe('purge', () => {
  test('empties the queue, whatever state its messages are in', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append(orders(6))
    const { messages } = await process.receive(consumer, { waitMs: WAIT_MS, batchSize: 3 })
    await process.settle(consumer, [
      { kind: 'dead_letter', ackId: messages[0]!.ackId },
      { kind: 'nack', ackId: messages[1]!.ackId, delayMs: 60_000 },
    ])

    expect(await purgeConsumer(storage.db, consumer)).toBe(6)
    expect(await process.queues.getStats(consumer)).toMatchObject({
      backlog: 0,
      leased: 0,
      retrying: 0,
      waiting: 0,
      dead: 0,
    })
    expect(await process.ack(consumer, messages)).toEqual(Array(3).fill('lease_lost'))
  })
})

describe('looking', () => {
  test('finds each message in exactly one state, and counts no delivery', async ({
    storage,
    process,
  }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append([{ id: 1 }, { id: 2 }, { id: 3 }, { id: 1 }, { id: 4 }, { id: 5 }])
    const one = await process.receive(consumer, { waitMs: WAIT_MS, batchSize: 1 })
    const { messages } = await process.receive(consumer, { batchSize: 3 })
    await process.settle(consumer, [
      { kind: 'nack', ackId: messages[0]!.ackId, delayMs: 60_000, reason: 'later' },
      { kind: 'dead_letter', ackId: messages[1]!.ackId },
    ])

    const found: Record<string, number[]> = {}
    for (const state of ['ahead', 'leased', 'retrying', 'waiting', 'dead'] as const) {
      const listed = await listMessages(storage.db, consumer, { state, limit: 100 })
      found[state] = listed.map(({ seq }) => seq)
    }

    expect(one.messages).toHaveLength(1)
    expect(found).toEqual({ ahead: [6], leased: [1, 5], retrying: [2], waiting: [4], dead: [3] })
  })

  test('shows where a change stands with every consumer that selects it', async ({
    storage,
    process,
  }) => {
    const source = await givenSource(storage)
    const inventory = await givenConsumer(storage, source.sourceNo, { name: 'inventory' })
    const invoicing = await givenConsumer(storage, source.sourceNo, { name: 'invoicing' })
    await givenConsumer(storage, source.sourceNo, { name: 'users', tables: ['public.users'] })
    const shipping = await givenConsumer(storage, source.sourceNo, { name: 'shipping' })
    await source.append(orders(1))
    const { messages } = await process.receive(inventory, { waitMs: WAIT_MS })
    await process.ack(inventory, messages)
    await process.receive(shipping)
    const log = process.queues.logOf(source.sourceNo)
    const { entries } = await log.readEntries([1], 1_000_000)

    const { queues } = process
    const states = await showChange(storage.db, queues.listConsumers(), entries[0]!, (...asked) =>
      queues.recentAckOf(...asked),
    )

    expect(states.map(({ consumer, state }) => [consumer.name, state])).toEqual([
      [inventory.name, 'acked'],
      [invoicing.name, 'ahead'],
      [shipping.name, 'leased'],
    ])
    const [acked, ahead, leased] = states
    expect(acked!.ackedAt!.getTime()).toBeGreaterThanOrEqual(acked!.deliveredAt!.getTime())
    expect([ahead!.deliveredAt, ahead!.ackedAt]).toEqual([null, null])
    expect(leased!.deliveredAt).toBeInstanceOf(Date)
    expect(leased!.ackedAt).toBeNull()
  })

  test('tells what was there before a consumer began, until a seek delivers it', async ({
    storage,
    process,
  }) => {
    const source = await givenSource(storage)
    await source.append(orders(3))
    const sealPush = () => null
    const stored = await createConsumer(
      storage.db,
      'late',
      { source: 'shop', tables: ['*'] },
      { sealPush },
    )
    await source.append([{ id: 4 }])
    const late = (await process.queues.findConsumer('late'))!
    const { entries } = await process.queues
      .logOf(source.sourceNo)
      .readEntries([1, 2, 4], 1_000_000)
    const stateOf = async (index: number) => {
      const [place] = await showChange(storage.db, [stored], entries[index]!, () => undefined)
      return place!.state
    }
    expect([await stateOf(0), await stateOf(1), await stateOf(2)]).toEqual([
      'before_start',
      'before_start',
      'ahead',
    ])

    await seekConsumer(storage.db, late, { seq: 2 }, { dryRun: false })
    const { messages } = await process.receive(late, { waitMs: WAIT_MS })
    await process.ack(late, messages)

    expect([await stateOf(0), await stateOf(1), await stateOf(2)]).toEqual([
      'before_start',
      'acked',
      'acked',
    ])
  })
})
