import { describe, expect } from 'vitest'

import { givenSource, moveClock, type GivenChange, type GivenSource } from '../support/given.ts'
import { givenPushConsumer, test } from './support/given-push.ts'
import { messagesOf, type ReceivedRequest, type Receiver } from './support/receiver.ts'
import { until } from './support/until.ts'

const ROUNDS = 8
const ORDERS_PER_ROUND = 40
/** A machine that others use too: a run may be spoilt by them, three in a row are not. */
const TRIES = 3

/** From the commit of an order to its arrival, one after the other. */
async function measureArrivals(
  source: GivenSource,
  receiver: Receiver,
  first: number,
): Promise<number[]> {
  const latencies: number[] = []
  for (let id = first; id < first + ORDERS_PER_ROUND; id++) {
    const seen = receiver.requests.length
    const order: GivenChange = { id: id % 10, record: { version: id }, action: 'update' }
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
   * The fine service's p99 is compared with a consumer of the same kind that has a
   * source to itself, in turns in the same process and minute, so that whatever else
   * the machine does falls on both.
   */
  test('the fine one is not delayed by one that fails and one that hangs', async ({
    storage,
    givenReceiver,
    startPush,
  }) => {
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
    await givenPushConsumer(storage, shop.sourceNo, failing.url, { name: 'shipping' })
    await givenPushConsumer(storage, shop.sourceNo, hanging.url, {
      name: 'invoicing',
      push: { timeout_ms: 2000 },
    })
    await startPush({ breaker: { openMsMin: 100, openMsMax: 200 } })

    let orders = 0
    let ratio = Infinity
    const seen: string[] = []
    for (let attempt = 0; attempt < TRIES && ratio > 1.5; attempt++) {
      const latencies = { alone: [] as number[], fine: [] as number[] }
      for (let round = 0; round < ROUNDS; round++) {
        latencies.alone.push(...(await measureArrivals(quiet, alone, orders)))
        latencies.fine.push(...(await measureArrivals(shop, fine, orders)))
        orders += ORDERS_PER_ROUND
      }
      const [p99Alone, p99Fine] = [percentile99(latencies.alone), percentile99(latencies.fine)]
      ratio = p99Fine / p99Alone
      seen.push(`p99 ${p99Fine.toFixed(1)} ms, alone ${p99Alone.toFixed(1)} ms`)
    }
    if (ratio > 1.5) expect.fail(`the fine one was delayed: ${seen.join('; ')}`)

    await until('the failing one has every order', async () => {
      // Its retries wait by the clock of the storage.
      await moveClock(storage, 1000)
      return taken.length >= orders
    })
    const byRow = new Map<number, number[]>()
    for (const { record } of taken.flatMap(messagesOf)) {
      byRow.set(record.id, [...(byRow.get(record.id) ?? []), record.version!])
    }
    expect(byRow.size).toBe(10)
    for (const [id, versions] of byRow) {
      expect(versions).toEqual(Array.from({ length: orders / 10 }, (_, index) => index * 10 + id))
    }
    expect(hanging.requests.length).toBeGreaterThan(0)
  })
})
