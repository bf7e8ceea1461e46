import { describe, expect, test, vi } from 'vitest'

import { NotFoundError, type ConsumedMessage, type ConsumeOptions } from '../../sdk/src/index.ts'
import { consume } from '../../sdk/src/worker/consume.ts'
import { FakeQueue, idOf, type Row } from './support/fake-queue.ts'
import { flush, settleDown, useWorkerClock } from './support/start-worker.ts'

/** The loop, held in hand: `next` answers the message, or what else happens in a while. */
function startLoop(queue: FakeQueue, options: ConsumeOptions = {}) {
  const loop = consume<Row>(queue, 'inventory', { visibilityTimeoutMs: 3000, ...options })
  return {
    loop,
    next: async (): Promise<ConsumedMessage<Row>> => {
      const next = loop.next()
      await settleDown()
      const { value } = await next
      if (!value) throw new Error('the loop has ended')
      return value
    },
  }
}

async function end(loop: AsyncGenerator): Promise<void> {
  const ended = loop.return(undefined)
  await vi.advanceTimersByTimeAsync(5000)
  await ended
}

/** What became of a settlement, once the server has had time to answer. */
async function outcomeOf(call: Promise<void>): Promise<string> {
  const settled = call.then(
    () => 'done',
    (error: Error) => error.name,
  )
  await flush()
  return settled
}

describe('consume', () => {
  useWorkerClock()

  test('gives one message after another, and each call settles it as it says', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 }, { id: 2 }, { id: 3 })
    const { loop, next } = startLoop(queue)

    expect(await outcomeOf((await next()).ack())).toBe('done')
    expect(await outcomeOf((await next()).nack({ delay: 60_000, reason: 'later' }))).toBe('done')
    expect(await outcomeOf((await next()).deadLetter('never'))).toBe('done')

    expect(queue.entries.map(({ state }) => state)).toEqual(['acked', 'ready', 'dead'])
    expect(queue.entry(2)).toMatchObject({ attempt: 1, reason: 'later' })
    expect(queue.entry(3).reason).toBe('never')
    await end(loop)
  })

  test('settles at once, without waiting for more', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 })
    const { loop, next } = startLoop(queue)
    const message = await next()

    void message.ack()
    await vi.advanceTimersByTimeAsync(1)

    expect(queue.settled).toBe(true)
    await end(loop)
  })

  test('extends the leases of messages that are out and of those that wait', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 }, { id: 2 })
    const { loop, next } = startLoop(queue)
    const first = await next()

    await vi.advanceTimersByTimeAsync(30_000)
    expect(await outcomeOf(first.ack())).toBe('done')
    expect(await outcomeOf((await next()).ack())).toBe('done')

    expect(queue.entries.map(({ attempt }) => attempt)).toEqual([1, 1])
    await end(loop)
  })

  test('gives no second message of a group before the first is settled', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1, group: 'a' }, { id: 2, group: 'a' }, { id: 3, group: 'b' })
    const { loop, next } = startLoop(queue)

    const first = await next()
    expect(idOf(await next())).toBe(3)
    const third = next()
    await flush()
    void first.ack()
    await flush()

    expect(idOf(await third)).toBe(2)
    await end(loop)
  })

  test('tells by its signal and by ack that a lease is lost', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 })
    const { loop, next } = startLoop(queue)
    const message = await next()

    queue.steal(1)
    await vi.advanceTimersByTimeAsync(1000)

    expect(message.signal.reason).toMatchObject({ name: 'LeaseLostError' })
    expect(await outcomeOf(message.ack())).toBe('LeaseLostError')
    expect(await outcomeOf(message.extend())).toBe('LeaseLostError')
    await end(loop)
  })

  test('tells by ack that the time for a message was over', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 })
    const { loop, next } = startLoop(queue, { maxProcessingMs: 5000 })
    const message = await next()

    await vi.advanceTimersByTimeAsync(5100)

    expect(await outcomeOf(message.ack())).toBe('LeaseLostError')
    expect(queue.entry(1).reason).toContain('longer than 5000 ms')
    await end(loop)
  })

  test('makes sure of a lease when asked to', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 })
    const { loop, next } = startLoop(queue)

    expect(await outcomeOf((await next()).extend())).toBe('done')

    expect(queue.calls.at(-1)?.kind).toBe('extend')
    await end(loop)
  })

  test('gives back what was not settled when the loop is left', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 }, { id: 2 })
    const { loop, next } = startLoop(queue)
    await next()

    await end(loop)

    expect(queue.entries.map(({ state, attempt }) => [state, attempt])).toEqual([
      ['ready', 0],
      ['ready', 0],
    ])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('waits for what was not settled, where it is given the grace', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 })
    const { loop, next } = startLoop(queue, { graceMs: 10_000 })
    const message = await next()

    const ended = loop.return(undefined)
    await vi.advanceTimersByTimeAsync(5000)
    void message.ack()
    await flush()

    await ended
    expect(queue.settled).toBe(true)
  })

  test('ends with its signal, also while it waits; a message in hand may still be acked', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 }, { id: 2 })
    const controller = new AbortController()
    const { loop, next } = startLoop(queue, { signal: controller.signal })
    const message = await next()

    controller.abort()
    await flush()
    expect(queue.entry(2)).toMatchObject({ state: 'ready', attempt: 0 })
    expect(await outcomeOf(message.ack())).toBe('done')

    const last = loop.next()
    await flush()
    expect(await last).toEqual({ done: true, value: undefined })
  })

  test('ends with its signal while there is nothing to give', async () => {
    const controller = new AbortController()
    const { loop } = startLoop(new FakeQueue(), { signal: controller.signal })
    const next = loop.next()
    await settleDown()

    controller.abort()
    await settleDown()

    expect(await next).toEqual({ done: true, value: undefined })
  })

  test('throws what no retry will mend', async () => {
    const queue = new FakeQueue()
    const problem = { type: '', title: '', status: 404, code: 'x', detail: '', errors: [] }
    const error = new NotFoundError(problem)
    queue.failures.push({ kind: 'receive', error })
    const { loop } = startLoop(queue)

    const settled = Promise.allSettled([loop.next()])
    await flush()

    expect((await settled)[0]).toMatchObject({ reason: error })
  })

  test('prints and copies as the message alone', async () => {
    const queue = new FakeQueue()
    queue.add({ id: 1 })
    const { loop, next } = startLoop(queue)

    expect(Object.keys(await next()).toSorted()).toEqual([
      'ack_id',
      'action',
      'changes',
      'delivery',
      'metadata',
      'record',
    ])
    await end(loop)
  })
})
