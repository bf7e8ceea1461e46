import { describe, expect, test, vi } from 'vitest'

import {
  AuthError,
  createWorker,
  NetworkError,
  NotFoundError,
  WorkerStoppedError,
} from '../../sdk/src/index.ts'
import { FakeQueue, type Row } from './support/fake-queue.ts'
import { createGate } from './support/gate.ts'
import { flush, settleDown, startWorker, useWorkerClock } from './support/start-worker.ts'

function problemOf(status: number) {
  const code = 'no'
  return { type: '', title: 'no', status, code, detail: '', errors: [] }
}

describe('a worker', () => {
  useWorkerClock()

  test('goes on receiving after failures, with waits between', async () => {
    const queue = new FakeQueue()
    const error = new NetworkError('cut')
    queue.failures.push(...Array.from({ length: 5 }, () => ({ kind: 'receive' as const, error })))
    queue.add({ id: 1 })
    const { events } = startWorker(queue, { handle: () => {} })

    await settleDown()
    expect(events).toEqual(['error in receive'])
    await vi.advanceTimersByTimeAsync(20_000)

    expect(events.slice(-2)).toEqual(['processed 1', 'acked 1'])
    expect(events.filter((event) => event.startsWith('error'))).toHaveLength(5)
  })

  test('says when a settlement could not be sent; the message comes again', async () => {
    const queue = new FakeQueue()
    queue.failures.push({ kind: 'settle', error: new NetworkError('cut') })
    queue.add({ id: 1 })
    const { events } = startWorker(queue, { handle: () => {} })

    await vi.advanceTimersByTimeAsync(3100)

    expect(events).toEqual(['processed 1', 'error in settle', 'processed 1', 'acked 1'])
  })

  test.each([
    new AuthError(problemOf(401)),
    new AuthError(problemOf(403)),
    new NotFoundError(problemOf(404)),
  ])('ends with $name $status', async (error) => {
    const queue = new FakeQueue()
    queue.failures.push({ kind: 'receive', error })
    const { done, events } = startWorker(queue, { handle: () => {} })

    await settleDown()

    await expect(done).rejects.toBe(error)
    expect(events).toEqual(['error in receive', 'stopped'])
  })

  test('stops by waiting for its handlers and giving back what none has begun', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 }, { id: 2 })
    const gate = createGate()
    const { worker, done, events } = startWorker(queue, { concurrency: 1, handle: () => gate })
    await settleDown()

    const stopped = worker.stop()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(events).toEqual(['nacked 2'])
    expect(queue.entry(2)).toMatchObject({ state: 'ready', attempt: 0 })
    gate.open()
    await flush()

    await Promise.all([stopped, done, worker.stop()])
    expect(events).toEqual(['nacked 2', 'processed 1', 'acked 1', 'stopped'])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('aborts its handlers after the grace and gives back their messages, uncounted', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 }, { id: 2 }, { id: 3 })
    let reason: unknown
    const { worker, done, events } = startWorker(queue, {
      handle: ({ record: { id } }, { signal }) => {
        if (id === 3) return new Promise(() => {})
        return new Promise((resolve, reject) => {
          signal.addEventListener('abort', () => {
            reason = signal.reason
            if (id === 1) resolve(undefined)
            else reject(new Error('aborted'))
          })
        })
      },
    })
    await settleDown()

    void worker.stop({ graceMs: 5000 })
    await vi.advanceTimersByTimeAsync(4999)
    expect(events).toEqual([])
    await vi.advanceTimersByTimeAsync(2000)
    await done

    expect(reason).toBeInstanceOf(WorkerStoppedError)
    expect(events).toEqual(['processed 1', 'acked 1', 'nacked 2', 'nacked 3', 'stopped'])
    expect(queue.entry(2)).toMatchObject({ state: 'ready', attempt: 0 })
    expect(queue.entry(3)).toMatchObject({ state: 'ready', attempt: 0 })
  })

  test('is hurried by a second stop', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 })
    const { worker, done } = startWorker(queue, { handle: () => new Promise(() => {}) })
    await settleDown()

    void worker.stop()
    void worker.stop({ graceMs: 100 })
    await vi.advanceTimersByTimeAsync(1200)

    await done
    expect(queue.entry(1)).toMatchObject({ state: 'ready', attempt: 0 })
  })

  test('ends in time though the server answers nothing any more', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 })
    const settle = vi.spyOn(queue, 'settle').mockImplementation(
      (_consumer, _body, options) =>
        new Promise<never>((_, reject) => {
          options?.signal?.addEventListener('abort', () => reject(options.signal?.reason as Error))
        }),
    )
    const { worker, done } = startWorker(queue, { handle: () => {} })
    await flush()

    void worker.stop({ graceMs: 0 })
    await vi.advanceTimersByTimeAsync(2000)

    await done
    expect(settle).toHaveBeenCalledOnce()
  })

  test('stopped before it runs, does nothing', async () => {
    const queue = new FakeQueue()
    const worker = createWorker<Row>(queue, { consumer: 'c', handle: () => {} })

    await worker.stop()
    await worker.run()

    expect(queue.calls).toEqual([])
  })

  test('stops with the signal it runs with', async () => {
    const controller = new AbortController()
    const worker = createWorker<Row>(new FakeQueue(), { consumer: 'c', handle: () => {} })
    const done = worker.run({ signal: controller.signal })
    await settleDown()

    controller.abort()

    await expect(done).resolves.toBeUndefined()
  })
})
