import { describe, expect, test, vi } from 'vitest'

import {
  createWorker,
  LeaseLostError,
  NetworkError,
  ProcessingTimeoutError,
} from '../../sdk/src/index.ts'
import { FakeQueue, idOf, type Row } from './support/fake-queue.ts'
import { createGate } from './support/gate.ts'
import { flush, settleDown, startWorker, useWorkerClock } from './support/start-worker.ts'

describe('a worker, of its leases,', () => {
  useWorkerClock()

  test('extends every lease at each third of its time, also of messages that wait', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 }, { id: 2 })
    const gate = createGate()
    startWorker(queue, { concurrency: 1, handle: () => gate })

    await vi.advanceTimersByTimeAsync(10_500)

    const extended = queue.calls.filter(({ kind }) => kind === 'extend')
    expect(extended).toHaveLength(10)
    expect(extended.every(({ ids }) => ids.length === 2)).toBe(true)
    expect(queue.entries.map(({ attempt }) => attempt)).toEqual([1, 1])
    gate.open()
    await flush()
    expect(queue.settled).toBe(true)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(queue.calls.filter(({ kind }) => kind === 'extend')).toHaveLength(10)
  })

  test('tries again sooner when an extend failed, and loses no lease by one failure', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 })
    queue.failures.push({ kind: 'extend', error: new NetworkError('cut') })
    const gate = createGate()
    const { events } = startWorker(queue, { handle: () => gate })

    await vi.advanceTimersByTimeAsync(1300)

    expect(events).toEqual(['error in extend'])
    expect(queue.calls.filter(({ kind }) => kind === 'extend')).toHaveLength(2)
    gate.open()
    await flush()
    expect(queue.settled).toBe(true)
  })

  test('counts a lease as lost when it could not be extended in time', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 })
    const down = { kind: 'extend' as const, error: new NetworkError('cut') }
    queue.failures.push(...Array.from({ length: 20 }, () => down))
    const signals: AbortSignal[] = []
    startWorker(queue, {
      handle: (_, { signal }) => {
        signals.push(signal)
        return new Promise(() => {})
      },
    })

    await vi.advanceTimersByTimeAsync(2600)
    expect(signals[0]?.aborted).toBe(false)
    await vi.advanceTimersByTimeAsync(400)

    expect(signals[0]?.reason).toBeInstanceOf(LeaseLostError)
  })

  test('aborts the handler of a lost lease and settles nothing for it', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 }, { id: 2 })
    let reason: unknown
    const { events } = startWorker(queue, {
      handle: ({ record }, { signal }) =>
        record.id === 2
          ? undefined
          : new Promise<void>((resolve) => {
              signal.addEventListener('abort', () => {
                reason = signal.reason
                resolve()
              })
            }),
    })
    await flush()

    queue.steal(1)
    await vi.advanceTimersByTimeAsync(1500)

    expect(reason).toBeInstanceOf(LeaseLostError)
    expect(events).toEqual(['processed 2', 'acked 2', 'lost 1 handling'])
    expect(queue.calls.filter(({ kind }) => kind === 'settle')).toHaveLength(1)
  })

  test('does not begin a message again while its handler still runs', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 })
    const gates = [createGate(), createGate()]
    let begun = 0
    const { events } = startWorker(queue, { handle: () => gates[begun++] })
    await settleDown()

    queue.loseLeases(1)
    await vi.advanceTimersByTimeAsync(5000)
    expect([begun, queue.entry(1).attempt]).toEqual([1, 2])
    gates[0]?.open()
    await flush()
    expect(begun).toBe(2)
    gates[1]?.open()
    await flush()

    expect(events).toEqual(['lost 1 handling', 'processed 1', 'acked 1'])
  })

  test('settles only after an extend that is under way', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 })
    const handled = createGate()
    startWorker(queue, { handle: () => handled })
    await vi.advanceTimersByTimeAsync(990)
    const answered = createGate()
    queue.gate = answered

    await vi.advanceTimersByTimeAsync(20)
    handled.open()
    await vi.advanceTimersByTimeAsync(500)
    const kinds = () => queue.calls.map(({ kind }) => kind).filter((kind) => kind !== 'receive')
    expect(kinds()).toEqual(['extend'])
    answered.open()
    await flush()

    expect(kinds()).toEqual(['extend', 'settle'])
    expect(queue.settled).toBe(true)
  })

  test('nacks a message whose handler takes too long, and aborts its signal', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 })
    let reason: unknown
    const { events } = startWorker(queue, {
      maxProcessingMs: 10_000,
      handle: (message, { signal }) =>
        message.delivery.attempt > 1
          ? undefined
          : new Promise((_, reject) => {
              signal.addEventListener('abort', () => {
                reason = signal.reason
                reject(new Error('aborted'))
              })
            }),
    })

    await vi.advanceTimersByTimeAsync(9990)
    expect(events).toEqual([])
    await vi.advanceTimersByTimeAsync(100)

    expect(reason).toBeInstanceOf(ProcessingTimeoutError)
    expect(events).toEqual(['failed 1: nack', 'nacked 1', 'processed 1', 'acked 1'])
    expect(queue.entry(1).reason).toContain('took longer than 10000 ms')
  })

  test('lets others have a message whose handler hangs', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 })
    let begun = 0
    startWorker(queue, {
      maxProcessingMs: 5000,
      handle: () => (begun++, new Promise(() => {})),
    })

    await vi.advanceTimersByTimeAsync(6000)

    expect(begun).toBe(1)
    expect(queue.entry(1)).toMatchObject({ state: 'ready', attempt: 1 })
  })

  test('lets others have what waits when every handler hangs, and takes no more', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 }, { id: 2, group: 'a' }, { id: 3 }, { id: 4 })
    const hang = createGate()
    startWorker(queue, { concurrency: 2, maxProcessingMs: 5000, handle: () => hang })

    await vi.advanceTimersByTimeAsync(5100)

    expect(queue.entries.map(({ state }) => state)).toEqual(['ready', 'ready', 'ready', 'ready'])
    await vi.advanceTimersByTimeAsync(60_000)
    expect(queue.entries.map(({ attempt }) => attempt)).toEqual([1, 1, 0, 0])
    hang.open()
    await vi.advanceTimersByTimeAsync(100)
    expect(queue.settled).toBe(true)
  })
})

test('after a blocked event loop a worker begins nothing that others may have, and learns what it lost', async () => {
  const queue = new FakeQueue()
  queue.add({ id: 1 }, { id: 2 }, { id: 3 })
  const begun: number[] = []
  const worker = createWorker<Row>(queue, {
    consumer: 'c',
    concurrency: 1,
    visibilityTimeoutMs: 1000,
    handle: (message) => {
      begun.push(idOf(message))
      if (idOf(message) !== 1) return
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1100)
      queue.steal(1, 2)
    },
  })
  const lost: string[] = []
  worker.on('leaseLost', ({ message, phase }) => lost.push(`${idOf(message)} ${phase}`))
  const settled = new Promise((resolve) => worker.on('settled', resolve))
  const done = worker.run()

  await settled
  await worker.stop()
  await done

  expect(begun).toEqual([1, 3])
  // The third one's lease had run out as well, and nobody had it: it may have come anew.
  expect(lost.filter((it) => !it.startsWith('3')).toSorted()).toEqual(['1 settling', '2 waiting'])
  expect(queue.entries.map(({ state }) => state)).toEqual(['leased', 'leased', 'acked'])
})
