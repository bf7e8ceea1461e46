import { describe, expect } from 'vitest'

import type { Consumer } from '../../src/queue/consumer.ts'
import type { LeasedMessage } from '../../src/queue/queue-service.ts'
import type { Database } from '../../src/storage/database.ts'
import { until } from '../capture/capture-harness.ts'
import { Random } from '../support/random.ts'
import { test } from '../support/database.ts'
import { givenConsumer, givenSource, type GivenChange, type GivenSource } from '../support/given.ts'
import { seqsOf, startProcess, type TestProcess } from '../support/queues.ts'

function update(id: number, v: number): GivenChange {
  return { id, action: 'update', record: { v } }
}

function remove(id: number): GivenChange {
  return { id, action: 'delete' }
}

/** Appends changes, and returns when the processes know of them. */
async function append(
  source: GivenSource,
  changes: GivenChange[],
  ...processes: TestProcess[]
): Promise<void> {
  const head = await source.append(changes)
  await until(() => processes.every(({ queues }) => queues.logOf(source.sourceNo).head >= head))
}

async function givenRows(
  storage: Database,
  settings: Parameters<typeof givenConsumer>[2] = {},
): Promise<{ source: GivenSource; consumer: Consumer; process: TestProcess }> {
  const source = await givenSource(storage)
  const consumer = await givenConsumer(storage, source.sourceNo, { kind: 'rows', ...settings })
  return { source, consumer, process: await startProcess(storage) }
}

describe('a consumer of rows', () => {
  test('gets of changes that wait the newest of each row, a delete too', async ({ storage }) => {
    const { source, consumer, process } = await givenRows(storage)
    await append(
      source,
      [
        update(1, 1),
        update(2, 1),
        update(1, 2),
        { id: 3 },
        update(1, 3),
        update(2, 2),
        remove(2),
        remove(3),
        { id: 3 },
      ],
      process,
    )

    const received = await process.receive(consumer)
    expect(seqsOf(received)).toEqual([5, 7, 9])
    expect(await process.ack(consumer, received.messages)).toEqual(['acked', 'acked', 'acked'])
    expect((await process.receive(consumer)).messages).toEqual([])
    const { backlog, leased, waiting, retrying } = await process.queues.getStats(consumer)
    expect({ backlog, leased, waiting, retrying }).toEqual({
      backlog: 0,
      leased: 0,
      waiting: 0,
      retrying: 0,
    })
    await process.stop()
  })

  test('keeps what is leased, and behind it only the newest waits', async ({ storage }) => {
    const { source, consumer, process } = await givenRows(storage)
    await append(source, [update(1, 1), update(2, 1)], process)
    const first = await process.receive(consumer)
    for (let v = 2; v <= 20; v++) {
      await append(source, [update(1, v)], process)
      expect((await process.receive(consumer)).messages).toEqual([])
      expect((await process.queues.getStats(consumer)).waiting).toBe(1)
    }
    expect(await process.ack(consumer, first.messages)).toEqual(['acked', 'acked'])
    expect(seqsOf(await process.receive(consumer))).toEqual([21])
    await process.stop()
  })

  test('drops what waits for a newer change that another process, started later, has seen', async ({
    storage,
  }) => {
    const { source, consumer, process } = await givenRows(storage)
    await append(source, [update(1, 1)], process)
    const first = await process.receive(consumer)
    await append(source, [update(1, 2)], process)
    expect((await process.receive(consumer)).messages).toEqual([])
    await process.stop()

    const later = await startProcess(storage)
    await append(source, [update(1, 3), update(2, 1)], later)
    expect(seqsOf(await later.receive(consumer))).toEqual([4])
    await append(source, [update(1, 4)], later)
    await later.ack(consumer, first.messages)
    expect(seqsOf(await later.receive(consumer))).toEqual([5])
    expect((await later.queues.getStats(consumer)).waiting).toBe(0)
    await later.stop()
  })

  test('collapses what its filter lets pass, and nothing with what it does not', async ({
    storage,
  }) => {
    const { source, consumer, process } = await givenRows(storage, { filter: 'record.v < 10' })
    await append(source, [update(1, 1), update(1, 2), update(1, 50), update(2, 70)], process)
    expect(seqsOf(await process.receive(consumer))).toEqual([2])
    await process.stop()
  })

  test('is told of a key that is gone by the change that took it', async ({ storage }) => {
    const { source, consumer, process } = await givenRows(storage)
    await append(
      source,
      [update(1, 1), { id: 2, oldId: 1, action: 'update', record: { v: 2 } }, update(2, 3)],
      process,
    )
    expect(seqsOf(await process.receive(consumer))).toEqual([2, 3])
    await process.stop()
  })

  test('is delivered a retried message as it was', async ({ storage }) => {
    const { source, consumer, process } = await givenRows(storage)
    await append(source, [update(1, 1)], process)
    const [message] = (await process.receive(consumer)).messages
    await append(source, [update(1, 2), update(1, 3)], process)
    await process.settle(consumer, [{ kind: 'nack', ackId: message!.ackId, delayMs: 0 }])
    const again = await process.receive(consumer)
    expect(seqsOf(again)).toEqual([1, 3])
    await process.stop()
  })

  test('gets every change again that it asks to have replayed', async ({ storage }) => {
    const { source, consumer, process } = await givenRows(storage)
    await append(source, [update(1, 1), update(1, 2)], process)
    await process.ack(consumer, (await process.receive(consumer)).messages)
    await storage.pool.query(
      `insert into millrace.replay (consumer_no, replay_no, cursor_seq, to_seq, created_at) values ($1, 1, 0, 2, now())`,
      [consumer.consumerNo],
    )
    process.queues.logOf(source.sourceNo)
    const fresh = await startProcess(storage)
    expect(seqsOf(await fresh.receive(consumer))).toEqual([1, 2])
    await process.stop()
    await fresh.stop()
  })

  test('collapses as far as it looks ahead, and reaches the end however far it is', async ({
    storage,
  }) => {
    const { source, consumer, process } = await givenRows(storage, {
      tables: ['public.orders'],
      max_in_flight: 100_000,
    })
    const changes = Array.from({ length: 30_000 }, (_, i): GivenChange =>
      i % 3 === 2 ? { id: i, table: 'other' } : update(i % 10, i),
    )
    for (let at = 0; at < changes.length; at += 5000)
      await append(source, changes.slice(at, at + 5000), process)
    const delivered: number[] = []
    for (;;) {
      const { messages } = await process.receive(consumer, { batchSize: 1000 })
      if (messages.length === 0) break
      delivered.push(...messages.map(({ seq }) => seq))
      await process.ack(consumer, messages)
    }
    // Ten rows in each window, and the windows overlap by half.
    expect(delivered.length).toBeLessThan(70)
    const newest = new Map(changes.map((change, i) => [change.table ?? change.id, i + 1] as const))
    newest.delete('other')
    for (const seq of newest.values()) expect(delivered).toContain(seq)
    await process.stop()
  })

  test(
    'holds the newest state of each row in the end, whoever delivers, fails or restarts',
    { timeout: 240_000 },
    async ({ storage }) => {
      const { source, consumer, process } = await givenRows(storage, {
        visibility_timeout_ms: 60_000,
      })
      const random = new Random(7)
      const processes = [process, await startProcess(storage, { hasPeers: true })]
      const truth = new Map<number, string>()
      const held = new Map<number, { seq: number; state: string }>()
      const open: LeasedMessage[] = []
      let appended = 0
      let delivered = 0
      const settle = async (message: LeasedMessage, kind: 'ack' | 'nack'): Promise<void> => {
        const { id, v } = JSON.parse(message.toJson()).record as {
          id: number
          v?: number
        }
        const [result] = await random
          .pick(processes)
          .settle(consumer, [
            { kind, ackId: message.ackId, ...(kind === 'nack' ? { delayMs: 0 } : {}) },
          ])
        if (result!.status !== 'acked') return
        // Never an older state behind a newer one.
        expect(message.seq).toBeGreaterThan(held.get(id)?.seq ?? 0)
        held.set(id, { seq: message.seq, state: v === undefined ? 'gone' : String(v) })
      }
      const receive = async (batchSize: number): Promise<number> => {
        const { messages } = await random.pick(processes).receive(consumer, { batchSize })
        delivered += messages.length
        open.push(...messages)
        return messages.length
      }
      for (let step = 0; step < 150; step++) {
        const changes = Array.from({ length: random.between(0, 8) }, () => {
          const id = random.between(1, 6)
          const isDelete = random.chance(0.2)
          appended += 1
          truth.set(id, isDelete ? 'gone' : String(appended))
          return isDelete ? remove(id) : update(id, appended)
        })
        if (changes.length > 0) await append(source, changes, ...processes)
        if (random.chance(0.6)) await receive(random.between(1, 5))
        while (open.length > 0 && random.chance(0.5)) {
          const message = open.shift()!
          const kind = random.chance(0.8) ? 'ack' : 'nack'
          await settle(message, kind)
          // Whoever fails a message leaves those behind it in the same lease alone, too.
          const behind = kind === 'nack' ? open.filter(({ group }) => group === message.group) : []
          for (const each of behind) {
            open.splice(open.indexOf(each), 1)
            await settle(each, 'nack')
          }
        }
        if (random.chance(0.05)) {
          const index = random.between(0, 1)
          await processes[index]!.stop()
          processes[index] = await startProcess(storage, { hasPeers: true })
        }
      }
      for (const each of processes.splice(0)) await each.stop()
      processes.push(await startProcess(storage))
      do {
        for (const message of open.splice(0)) await settle(message, 'ack')
      } while ((await receive(100)) > 0)

      expect(new Map([...held].map(([id, { state }]) => [id, state] as const))).toEqual(truth)
      expect(delivered).toBeLessThan(appended)
      const { waiting, leased, retrying } = await processes[0]!.queues.getStats(consumer)
      expect({ waiting, leased, retrying }).toEqual({ waiting: 0, leased: 0, retrying: 0 })
      for (const each of processes) await each.stop()
    },
  )
})
