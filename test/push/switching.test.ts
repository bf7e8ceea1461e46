import { describe, expect } from 'vitest'

import type { Consumer } from '../../src/queue/consumer.ts'
import type { Database } from '../../src/storage/database.ts'
import { givenSource, orders } from '../support/given.ts'
import { givenPushConsumer, test } from './support/given-push.ts'
import { ids, untilSettled } from './support/progress.ts'
import { until } from './support/until.ts'

describe('switching a consumer', () => {
  test('from pull to push to pull loses and repeats nothing', async ({
    storage,
    givenReceiver,
    startPush,
  }) => {
    const source = await givenSource(storage)
    const receiver = await givenReceiver((response) => response.end())
    const consumer = await givenPushConsumer(storage, source.sourceNo, receiver.url)
    await setMode(storage, consumer, 'pull')
    const process = await startPush()
    const pulled: number[] = []
    const pull = async (count: number): Promise<void> => {
      await process.queues.refresh()
      while (pulled.length < count) {
        const received = await process.receive(consumer, { batchSize: 7, waitMs: 10_000 })
        pulled.push(
          ...received.messages.map((message) => JSON.parse(message.toJson()).record.id as number),
        )
        await process.ack(consumer, received.messages)
      }
    }

    await source.append(orders(70))
    await pull(35)
    await setMode(storage, consumer, 'push')
    await until('the webhook got the rest', () => receiver.requests.length === 35)
    await untilSettled(storage, consumer, 70)
    await setMode(storage, consumer, 'pull')
    await process.workers.refresh()
    await source.append(orders(35, 71))
    await pull(70)

    expect([...pulled, ...ids(receiver)].toSorted((a, b) => a - b)).toEqual(
      orders(105).map(({ id }) => id),
    )
    expect(receiver.requests).toHaveLength(35)
  })

  test('to pull and back while requests are under way sends none of them twice', async ({
    storage,
    givenReceiver,
    startPush,
  }) => {
    const source = await givenSource(storage)
    const answers: (() => void)[] = []
    let isHeld = true
    const receiver = await givenReceiver((response) => {
      if (isHeld) answers.push(() => response.end())
      else response.end()
    })
    const consumer = await givenPushConsumer(storage, source.sourceNo, receiver.url, {
      push: { max_in_flight: 3 },
    })
    const last = await source.append(orders(30))
    const { workers } = await startPush()
    await until('three requests are open', () => answers.length === 3)

    await setMode(storage, consumer, 'pull')
    const switched = workers.refresh()
    isHeld = false
    for (const answer of answers) answer()
    await switched
    await setMode(storage, consumer, 'push')
    await workers.refresh()
    await untilSettled(storage, consumer, last)

    expect(ids(receiver).toSorted((a, b) => a - b)).toEqual(orders(30).map(({ id }) => id))
    const attempts = receiver.requests.map(({ headers }) => headers['millrace-attempt'])
    expect(new Set(attempts)).toEqual(new Set(['1']))
  })

  test('to another URL takes effect without a restart', async ({
    storage,
    givenReceiver,
    startPush,
  }) => {
    const source = await givenSource(storage)
    const before = await givenReceiver((response) => response.end())
    const after = await givenReceiver((response) => response.end())
    const consumer = await givenPushConsumer(storage, source.sourceNo, before.url)
    const { workers } = await startPush()
    await untilSettled(storage, consumer, await source.append(orders(5)))
    await storage.pool.query(
      `update millrace.consumer set push = push || $2, config_version = config_version + 1 where consumer_no = $1`,
      [consumer.consumerNo, JSON.stringify({ url: after.url })],
    )
    await workers.refresh()
    await untilSettled(storage, consumer, await source.append(orders(5, 6)))
    expect([ids(before).length, ids(after).length]).toEqual([5, 5])
  })
})

async function setMode(storage: Database, consumer: Consumer, mode: string): Promise<void> {
  await storage.pool.query(
    `with changed as (
       update millrace.consumer set mode = $2, config_version = config_version + 1 where consumer_no = $1
     ) select pg_notify('millrace_config', '')`,
    [consumer.consumerNo, mode],
  )
}
