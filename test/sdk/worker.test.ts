import { describe, expect, test, vi } from 'vitest'
import { z } from 'zod'

import { createWorker, PermanentError, RetryLater } from '../../sdk/src/index.ts'
import { FakeQueue, idOf } from './support/fake-queue.ts'
import { createGate } from './support/gate.ts'
import { flush, settleDown, startWorker, useWorkerClock } from './support/start-worker.ts'

describe('a worker', () => {
  useWorkerClock()

  test('acks what its handler returns from', async () => {
    const queue = new FakeQueue()
    const { events } = startWorker(queue, { handle: () => {} })

    queue.add({ id: 1 }, { id: 2 })
    await flush()

    expect(queue.entries.map(({ state }) => state)).toEqual(['acked', 'acked'])
    expect(events).toEqual(['processed 1', 'processed 2', 'acked 1', 'acked 2'])
  })

  test('nacks what its handler throws for, with the reason', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 })
    let calls = 0
    const { events } = startWorker(queue, {
      handle: ({ delivery }) => {
        calls++
        if (delivery.attempt === 1) throw new TypeError('not a card')
      },
    })

    await vi.advanceTimersByTimeAsync(100)

    expect(calls).toBe(2)
    expect(events).toEqual(['failed 1: nack', 'nacked 1', 'processed 1', 'acked 1'])
    expect(queue.entry(1).reason).toBe('TypeError: not a card')
  })

  test('retries later, without counting, when told so', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 })
    const attempts: [at: number, attempt: number][] = []
    const start = performance.now()
    startWorker(queue, {
      handle: ({ delivery }) => {
        attempts.push([performance.now() - start, delivery.attempt])
        if (attempts.length === 1) throw new RetryLater(5000, { countAttempt: false })
      },
    })

    await vi.advanceTimersByTimeAsync(6000)

    expect(attempts).toEqual([
      [0, 1],
      [5010, 1],
    ])
  })

  test('makes a dead letter of a permanent error, with its reason cut to 2 KB of text', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 })
    const { events } = startWorker(queue, {
      handle: () => {
        throw new PermanentError(`no such product ${'ü'.repeat(2000)}`)
      },
    })

    await flush()

    expect(events).toEqual(['failed 1: dead_letter', 'dead_lettered 1'])
    const reason = queue.entry(1).reason ?? ''
    expect(reason).toMatch(/^no such product ü+$/)
    expect(Buffer.byteLength(reason)).toBe(2048)
  })

  test('sends settlements of ten milliseconds in one request', async () => {
    const queue = new FakeQueue()
    queue.add(...Array.from({ length: 30 }, (_, id) => ({ id })))
    startWorker(queue, { handle: () => {}, batchSize: 30 })

    await flush()

    expect(
      queue.calls.filter(({ kind }) => kind === 'settle').map(({ ids }) => ids.length),
    ).toEqual([30])
  })

  test('sends a hundred settlements at once, without waiting', async () => {
    const queue = new FakeQueue()
    queue.add(...Array.from({ length: 250 }, (_, id) => ({ id })))
    startWorker(queue, { handle: () => {}, batchSize: 250 })

    await settleDown()

    const sizes = () =>
      queue.calls.filter(({ kind }) => kind === 'settle').map((it) => it.ids.length)
    expect(sizes()).toEqual([100, 100])
    await flush()
    expect(sizes()).toEqual([100, 100, 50])
  })

  test('runs as many handlers at once as it may, and receives on while one is slow', async () => {
    const queue = new FakeQueue()
    queue.add(...Array.from({ length: 50 }, (_, id) => ({ id })))
    const slow = createGate()
    let running = 0
    let most = 0
    startWorker(queue, {
      concurrency: 4,
      batchSize: 5,
      handle: async ({ record }) => {
        most = Math.max(most, ++running)
        await (record.id === 0 ? slow : Promise.resolve())
        running--
      },
    })

    await vi.advanceTimersByTimeAsync(500)

    expect(most).toBe(4)
    expect(queue.entries.filter(({ state }) => state === 'acked')).toHaveLength(49)
    slow.open()
    await flush()
    expect(queue.settled).toBe(true)
  })

  test('handles the messages of a group one after another, and groups side by side', async () => {
    const queue = new FakeQueue()
    const groups = ['a', 'a', 'b', 'a', 'b']
    queue.add(...groups.map((group, id) => ({ id, group })))
    const log: string[] = []
    const gates = groups.map(createGate)
    startWorker(queue, {
      handle: async (message) => {
        const id = idOf(message)
        log.push(`+${id}`)
        await gates[id]
        log.push(`-${id}`)
      },
    })

    await settleDown()
    expect(log).toEqual(['+0', '+2'])
    for (const gate of gates.toReversed()) {
      gate.open()
      await settleDown()
    }
    expect(log).toEqual(['+0', '+2', '-2', '+4', '-4', '-0', '+1', '-1', '+3', '-3'])
  })

  test('gives back what waits behind a nacked message of its group', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1, group: 'a' }, { id: 2, group: 'a' }, { id: 3, group: 'b' })
    const handled: string[] = []
    startWorker(queue, {
      concurrency: 1,
      handle: ({ record, delivery }) => {
        handled.push(`${record.id}/${delivery.attempt}`)
        if (record.id === 1 && delivery.attempt < 3) throw new RetryLater(1000)
      },
    })

    await vi.advanceTimersByTimeAsync(5000)

    expect(handled.filter((it) => !it.startsWith('3'))).toEqual(['1/1', '1/2', '1/3', '2/1'])
    expect(queue.settled).toBe(true)
  })

  test('goes on in a group after a dead letter', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1, group: 'a' }, { id: 2, group: 'a' })
    startWorker(queue, {
      handle: ({ record }) => {
        if (record.id === 1) throw new PermanentError('no')
      },
    })

    await flush()

    expect(queue.entries.map(({ state, attempt }) => [state, attempt])).toEqual([
      ['dead', 1],
      ['acked', 1],
    ])
  })

  test('makes dead letters of records that do not match its schema, and gives the others converted', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 }, { id: -1 })
    const seen: unknown[] = []
    const { events } = startWorker(queue, {
      schema: z.object({ id: z.number().positive() }).transform(({ id }) => ({ id: id * 10 })),
      handle: ({ record }) => seen.push(record),
    })

    await flush()

    expect(seen).toEqual([{ id: 10 }])
    expect(queue.entry(-1)).toMatchObject({ state: 'dead' })
    expect(queue.entry(-1).reason).toMatch(/^the record does not match the schema: id: /)
    expect(events).toContain('acked 1')
  })

  test('settles a batch by what its handler says failed', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 }, { id: 2, group: 'a' }, { id: 3, group: 'a' }, { id: 4 })
    const batches: number[][] = []
    startWorker(queue, {
      batchSize: 4,
      handleBatch: (messages) => {
        batches.push(messages.map(idOf))
        if (batches.length > 1) return undefined
        const failed = messages.filter((message) => [1, 4].includes(idOf(message)))
        return {
          failed: failed.map((message) => ({
            message,
            error: idOf(message) === 1 ? new PermanentError('no') : new RetryLater(1000),
          })),
        }
      },
    })

    await vi.advanceTimersByTimeAsync(2000)

    expect(batches).toEqual([[1, 2, 3, 4], [4]])
    expect(queue.entries.map(({ state }) => state)).toEqual(['dead', 'acked', 'acked', 'acked'])
  })

  test('nacks a whole batch when its handler throws', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 }, { id: 2 })
    const { events } = startWorker(queue, {
      handleBatch: (messages) => {
        if (messages[0]?.delivery.attempt === 1) throw new Error('down')
      },
    })

    await vi.advanceTimersByTimeAsync(100)

    expect(events.slice(0, 4)).toEqual(['failed 1: nack', 'failed 2: nack', 'nacked 1', 'nacked 2'])
    expect(queue.settled).toBe(true)
  })

  test.each([
    { batchSize: 0 },
    { batchSize: 1001 },
    { concurrency: 1.5 },
    { visibilityTimeoutMs: 999 },
    { maxProcessingMs: 0 },
  ])('refuses %o', (options) => {
    const all = { consumer: 'c', handle: () => {}, ...options }
    expect(() => createWorker(new FakeQueue(), all)).toThrow(RangeError)
  })
})
