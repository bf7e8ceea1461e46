import { describe, expect } from 'vitest'

import { givenSource, type GivenChange, type GivenSource } from '../support/given.ts'
import { givenPushConsumer, test } from './support/given-push.ts'
import { skipToRetry } from './support/progress.ts'
import { messagesOf, type ReceivedRequest, type Receiver } from './support/receiver.ts'
import { until } from './support/until.ts'

const ROWS = 10
/** Orders to one service after the other before it is the other one's turn. */
const TURN = 10
const TURNS_MIN = 32
const TURNS_MAX = 128

/** From the commit of an order to its arrival, in ms, one order after the other. */
async function measureArrivals(
  source: GivenSource,
  receiver: Receiver,
  firstVersion: number,
): Promise<number[]> {
  const latencies: number[] = []
  for (let version = firstVersion; version < firstVersion + TURN; version++) {
    const seen = receiver.requests.length
    const order: GivenChange = { id: version % ROWS, record: { version }, action: 'update' }
    await source.append([order])
    const committedAt = performance.now()
    await until('it has arrived', () => receiver.requests.length > seen)
    latencies.push(receiver.requests.at(-1)!.atMs - committedAt)
  }
  return latencies
}

function percentile99(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)]!
}

describe('three services behind one table', () => {
  /**
   * The fine service's p99 is compared with that of a consumer of the same kind that has
   * a source to itself: orders go to one and the other in turns, so that whatever else the
   * machine does falls on both. A tail is known the better the more orders there are, so
   * while the two seem to differ more are placed, and all of them count.
   */
  test(
    'the fine one is not delayed by one that fails and one that hangs',
    { timeout: 300_000 },
    async ({ storage, givenReceiver, startPush }) => {
      const alone = await givenReceiver((response) => response.end())
      const fine = await givenReceiver((response) => response.end())
      const hanging = await givenReceiver(() => {})
      const taken: ReceivedRequest[] = []
      const failing = await givenReceiver((response, request, index) => {
        if (index >= 10) taken.push(request)
        response.writeHead(index < 10 ? 500 : 200).end()
      })
      const quiet = await givenSource(storage, 'quiet')
      const shop = await givenSource(storage, 'shop')
      await givenPushConsumer(storage, quiet.sourceNo, alone.url, { name: 'alone' })
      await givenPushConsumer(storage, shop.sourceNo, fine.url, { name: 'inventory' })
      const shipping = await givenPushConsumer(storage, shop.sourceNo, failing.url, {
        name: 'shipping',
      })
      await givenPushConsumer(storage, shop.sourceNo, hanging.url, {
        name: 'invoicing',
        push: { timeout_ms: 2000 },
      })
      await startPush({ breaker: { openMsMin: 100, openMsMax: 200 } })

      const latencies = { alone: [] as number[], fine: [] as number[] }
      let [orders, p99Alone, p99Fine] = [0, 0, Infinity]
      for (let turn = 1; turn <= TURNS_MAX; turn++) {
        latencies.alone.push(...(await measureArrivals(quiet, alone, orders)))
        latencies.fine.push(...(await measureArrivals(shop, fine, orders)))
        orders += TURN
        p99Alone = percentile99(latencies.alone)
        p99Fine = percentile99(latencies.fine)
        if (turn >= TURNS_MIN && p99Fine <= 1.5 * p99Alone) break
      }
      expect(p99Fine, 'p99 of the fine one, in ms').toBeLessThanOrEqual(1.5 * p99Alone)

      await until('the failing one has every order', async () => {
        await skipToRetry(storage, shipping)
        return taken.length >= orders
      })
      const byRow = new Map<number, number[]>()
      for (const { record } of taken.flatMap(messagesOf)) {
        byRow.set(record.id, [...(byRow.get(record.id) ?? []), record.version!])
      }
      expect(byRow.size).toBe(ROWS)
      for (const [id, versions] of byRow) {
        expect(versions).toEqual(
          Array.from({ length: orders / ROWS }, (_, index) => index * ROWS + id),
        )
      }
      expect(hanging.requests.length).toBeGreaterThan(0)
    },
  )
})
