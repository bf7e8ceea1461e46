import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { MillraceError } from '../../src/errors.ts'
import { Settler } from '../../src/push/settler.ts'
import type { Consumer } from '../../src/queue/consumer.ts'
import type { Settlement, SettlementResult } from '../../src/queue/queue-service.ts'
import { ManualClock } from './support/manual-clock.ts'
import { until } from './support/until.ts'

const ack = (ackId: string): Settlement => ({ kind: 'ack', ackId })

/** A queue whose calls end when the test says so. */
function makeSettler(clock = new ManualClock()) {
  const calls: { ids: string[]; succeed: () => void; fail: (error: Error) => void }[] = []
  const errors: [unknown, boolean][] = []
  const settler = new Settler({
    queue: {
      settle: (_consumer, settlements) =>
        new Promise<SettlementResult[]>((resolve, reject) => {
          calls.push({
            ids: settlements.map(({ ackId }) => ackId),
            succeed: () => resolve(settlements.map(({ ackId }) => ({ ackId, status: 'acked' }))),
            fail: reject,
          })
        }),
    },
    clock,
    consumer: () => ({}) as Consumer,
    onError: (error, givenUp) => errors.push([error, givenUp]),
    giveUpMs: 10_000,
  })
  return { settler, calls, errors, clock }
}

test('what comes up during a call goes with the next one', async () => {
  const { settler, calls } = makeSettler()
  const first = settler.settle([ack('a')])
  await until('the call was made', () => calls.length === 1)
  const others = [settler.settle([ack('b'), ack('c')]), settler.settle([ack('d')])]
  calls[0]!.succeed()
  expect(await first).toEqual([{ ackId: 'a', status: 'acked' }])
  await until('the second call was made', () => calls.length === 2)
  expect(calls[1]!.ids).toEqual(['b', 'c', 'd'])
  calls[1]!.succeed()
  expect((await Promise.all(others)).map((results) => results.length)).toEqual([2, 1])
})

test('what is handed in together is settled together', async () => {
  const { settler, calls } = makeSettler()
  void settler.settle([ack('first')])
  await until('the call was made', () => calls.length === 1)
  const many = Array.from({ length: 700 }, (_, index) => ack(String(index)))
  void settler.settle(many)
  void settler.settle(many)
  calls[0]!.succeed()
  await until('the second call was made', () => calls.length === 2)
  expect(calls[1]!.ids).toHaveLength(700)
})

test('a call that fails is made again, in order', async () => {
  const { settler, calls, errors, clock } = makeSettler()
  const first = settler.settle([ack('a')])
  await until('the call was made', () => calls.length === 1)
  const second = settler.settle([ack('b')])
  calls[0]!.fail(new Error('connection lost'))
  await until('it was told', () => errors.length === 1)
  clock.advance(100)
  await until('the second call was made', () => calls.length === 2)
  expect(calls[1]!.ids).toEqual(['a', 'b'])
  calls[1]!.succeed()
  expect((await Promise.all([first, second])).flat()).toHaveLength(2)
  expect(errors[0]![1]).toBe(false)
})

test('is given up when the leases must have ended, and goes on with what is newer', async () => {
  const { settler, calls, errors, clock } = makeSettler()
  const old = settler.settle([ack('old')])
  await until('the call was made', () => calls.length === 1)
  clock.advance(10_000)
  const young = settler.settle([ack('young')])
  calls[0]!.fail(new Error('connection lost'))
  expect(await old).toEqual([])
  expect(errors[0]![1]).toBe(true)
  clock.advance(100)
  await until('the second call was made', () => calls.length === 2)
  expect(calls[1]!.ids).toEqual(['young'])
  calls[1]!.succeed()
  expect(await young).toHaveLength(1)
})

test('is given up at once when the consumer is gone', async () => {
  const { settler, calls } = makeSettler()
  const gone = settler.settle([ack('a')])
  await until('the call was made', () => calls.length === 1)
  calls[0]!.fail(new MillraceError('not_found', 'gone'))
  expect(await gone).toEqual([])
})

test('flushing waits for the last call', async () => {
  const { settler, calls } = makeSettler()
  void settler.settle([ack('a')])
  let flushed = false
  const flush = settler.flush().then(() => (flushed = true))
  await until('the call was made', () => calls.length === 1)
  expect(flushed).toBe(false)
  calls[0]!.succeed()
  await flush
})

describe('what may wait a moment', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
  afterEach(() => void vi.useRealTimers())

  test('goes in one call with what comes up meanwhile', async () => {
    const { settler, calls } = makeSettler()
    settler.settleSoon([ack('a')])
    await vi.advanceTimersByTimeAsync(30)
    settler.settleSoon([ack('b')])
    await vi.advanceTimersByTimeAsync(19)
    expect(calls).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(calls.map(({ ids }) => ids)).toEqual([['a', 'b']])
  })

  test('goes at once when it is hurried, with what must go at once, and when it is much', async () => {
    for (const end of [
      (settler: Settler) => settler.hurry(),
      (settler: Settler) => void settler.settle([ack('z')]),
      (settler: Settler) => void settler.flush(),
      (settler: Settler) => settler.settleSoon(Array(999).fill(ack('z'))),
    ]) {
      const { settler, calls } = makeSettler()
      settler.settleSoon([ack('a')])
      await vi.advanceTimersByTimeAsync(1)
      expect(calls).toEqual([])
      end(settler)
      await vi.advanceTimersByTimeAsync(0)
      expect(calls).toHaveLength(1)
      expect(calls[0]!.ids[0]).toBe('a')
    }
  })

  test('waits although the call before it was hurried', async () => {
    const { settler, calls } = makeSettler()
    void settler.settle([ack('a')])
    await vi.advanceTimersByTimeAsync(0)
    calls[0]!.succeed()
    settler.settleSoon([ack('b')])
    await vi.advanceTimersByTimeAsync(49)
    expect(calls).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(calls).toHaveLength(2)
  })
})
