import { describe, expect } from 'vitest'

import { verify } from '../../sdk/src/index.ts'
import { ANSWER_BYTES_MAX } from '../../src/push/endpoint-client.ts'
import type { Consumer } from '../../src/queue/consumer.ts'
import { resumeConsumer } from '../../src/queue/consumer-store.ts'
import type { Database } from '../../src/storage/database.ts'
import { givenSource, orders, type GivenChange } from '../support/given.ts'
import { givenPushConsumer, test } from './support/given-push.ts'
import { ids, untilSettled } from './support/progress.ts'
import { ManualClock } from './support/manual-clock.ts'
import { messagesOf, type ReceivedRequest } from './support/receiver.ts'
import { until } from './support/until.ts'

/** Every row changed `versions` times, the rows interleaved. */
function changes(rows: number, versions: number): GivenChange[] {
  return Array.from({ length: versions }, (_, version) =>
    Array.from({ length: rows }, (_, row): GivenChange => ({
      id: row + 1,
      action: version === 0 ? 'insert' : 'update',
      record: { version },
    })),
  ).flat()
}

/** The versions of each row, in the order in which the receiver took them. */
function versionsByRow(requests: readonly ReceivedRequest[]): Map<number, number[]> {
  const byRow = new Map<number, number[]>()
  for (const { record } of requests.flatMap(messagesOf)) {
    byRow.set(record.id, [...(byRow.get(record.id) ?? []), record.version!])
  }
  return byRow
}

async function reasonsOf(storage: Database, consumer: Consumer): Promise<(string | null)[]> {
  const { rows } = await storage.pool.query<{ reason: string | null }>(
    'select reason from millrace.delivery where consumer_no = $1 order by seq',
    [consumer.consumerNo],
  )
  return rows.map(({ reason }) => reason)
}

describe('a push consumer', () => {
  test('gets each change once, signed, with its own headers', async ({
    storage,
    givenReceiver,
    startPush,
  }) => {
    const source = await givenSource(storage)
    const receiver = await givenReceiver((response) => response.end())
    const consumer = await givenPushConsumer(storage, source.sourceNo, receiver.url)
    const last = await source.append(orders(300))
    await startPush()
    await untilSettled(storage, consumer, last)

    expect(ids(receiver).toSorted((a, b) => a - b)).toEqual(orders(300).map(({ id }) => id))
    const [first] = receiver.requests
    expect(first!.headers).toMatchObject({
      'x-tenant': 'acme',
      'user-agent': 'Millrace/test',
      'millrace-attempt': '1',
    })
    const verified = await verify(first!.body, first!.headers, consumer.secret)
    expect(verified.id).toBe(verified.messages[0]!.metadata.idempotency_key)
    expect(JSON.parse(first!.body)).not.toHaveProperty('ack_id')
  })

  test('gets the changes of a row one after the other, and rows side by side', async ({
    storage,
    givenReceiver,
    startPush,
  }) => {
    const source = await givenSource(storage)
    const busyRows = new Set<number>()
    let overlaps = 0
    let rowsAtOnce = 0
    const receiver = await givenReceiver((response, request) => {
      const { id } = messagesOf(request)[0]!.record
      if (busyRows.has(id)) overlaps++
      busyRows.add(id)
      rowsAtOnce = Math.max(rowsAtOnce, busyRows.size)
      setImmediate(() => {
        busyRows.delete(id)
        response.end()
      })
    })
    const consumer = await givenPushConsumer(storage, source.sourceNo, receiver.url)
    const last = await source.append(changes(20, 15))
    await startPush()
    await untilSettled(storage, consumer, last)

    expect(overlaps).toBe(0)
    expect(rowsAtOnce).toBeGreaterThan(1)
    const byRow = versionsByRow(receiver.requests)
    expect(byRow.size).toBe(20)
    for (const versions of byRow.values())
      expect(versions).toEqual(Array.from({ length: 15 }, (_, i) => i))
  })

  test('keeps order when messages fail now and then, with the same id and a counted attempt', async ({
    storage,
    givenReceiver,
    startPush,
  }) => {
    const source = await givenSource(storage)
    const taken: ReceivedRequest[] = []
    const attempts = new Map<string, string[]>()
    const receiver = await givenReceiver((response, request, index) => {
      const id = String(request.headers['webhook-id'])
      attempts.set(id, [...(attempts.get(id) ?? []), String(request.headers['millrace-attempt'])])
      // The first try of every third message fails, and retries of a first failure come at once.
      const fails = attempts.get(id)!.length === 1 && index % 3 === 0
      if (!fails) taken.push(request)
      response.writeHead(fails ? 500 : 204).end()
    })
    const consumer = await givenPushConsumer(storage, source.sourceNo, receiver.url)
    const last = await source.append(changes(10, 10))
    await startPush()
    await untilSettled(storage, consumer, last)

    for (const versions of versionsByRow(taken).values()) {
      expect(versions).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    }
    expect(attempts.size).toBe(100)
    const retried = [...attempts.values()].filter(({ length }) => length > 1)
    expect(retried.length).toBeGreaterThan(0)
    for (const each of retried) expect(each).toEqual(['1', '2'])
  })

  test('with batches gets many messages in a request, and only what it names comes again', async ({
    storage,
    givenReceiver,
    startPush,
  }) => {
    const source = await givenSource(storage)
    const failedOnce = new Set<number>()
    const taken: number[] = []
    const receiver = await givenReceiver((response, request) => {
      const failed = messagesOf(request).filter(({ record: { id } }) => {
        const fails = id % 10 === 0 && !failedOnce.has(id)
        if (fails) failedOnce.add(id)
        else taken.push(id)
        return fails
      })
      const named = failed.map(({ metadata }) => ({
        id: metadata.idempotency_key,
        delay: 0,
        reason: 'busy',
      }))
      response.end(JSON.stringify({ failed: named }))
    })
    const consumer = await givenPushConsumer(storage, source.sourceNo, receiver.url, {
      push: { batch_size: 25, max_in_flight: 2 },
    })
    const last = await source.append(orders(200))
    await startPush()
    await untilSettled(storage, consumer, last)

    expect(taken.toSorted((a, b) => a - b)).toEqual(orders(200).map(({ id }) => id))
    expect(failedOnce.size).toBe(20)
    expect(receiver.requests.length).toBeLessThan(60)
  })

  test('keeps a batch in order per row when the batch fails as a whole', async ({
    storage,
    givenReceiver,
    startPush,
  }) => {
    const source = await givenSource(storage)
    const taken: ReceivedRequest[] = []
    const receiver = await givenReceiver((response, request, index) => {
      // Retries of a first failure come at once; later ones would have to be waited for.
      const isFirst = messagesOf(request).every(({ delivery }) => delivery.attempt === 1)
      const fails = isFirst && index % 4 === 0
      if (!fails) taken.push(request)
      response.writeHead(fails ? 500 : 200).end()
    })
    const consumer = await givenPushConsumer(storage, source.sourceNo, receiver.url, {
      push: { batch_size: 7, max_in_flight: 3 },
    })
    const last = await source.append(changes(6, 8))
    await startPush()
    await untilSettled(storage, consumer, last)
    for (const versions of versionsByRow(taken).values()) {
      expect(versions).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    }
  })

  test('keeps the beginning of the answer as the reason of the failure', async ({
    storage,
    givenReceiver,
    startPush,
  }) => {
    const source = await givenSource(storage)
    const receiver = await givenReceiver((response) => {
      response.writeHead(422).end(`no such product ${'x'.repeat(10_000)}`)
    })
    const consumer = await givenPushConsumer(storage, source.sourceNo, receiver.url)
    await source.append(orders(1))
    await startPush()
    await until('there is a reason', async () => (await reasonsOf(storage, consumer))[0] != null)
    const [reason] = await reasonsOf(storage, consumer)
    expect(reason).toMatch(/^answered 422: no such product x+$/)
    expect(Buffer.byteLength(reason!)).toBeLessThanOrEqual(2048)
  })

  test('that answers 410 is paused with the reason, and goes on when it is resumed', async ({
    storage,
    givenReceiver,
    startPush,
  }) => {
    const source = await givenSource(storage)
    let isGone = true
    const receiver = await givenReceiver((response) => {
      response.writeHead(isGone ? 410 : 200).end(isGone ? 'moved out' : '')
    })
    const consumer = await givenPushConsumer(storage, source.sourceNo, receiver.url, {
      push: { max_in_flight: 1 },
    })
    const last = await source.append(orders(5))
    const { queues } = await startPush()
    await until('the consumer is paused', async () => {
      await queues.refresh()
      return (await queues.findConsumer('inventory'))?.pausedUntilMs === Infinity
    })
    expect((await queues.findConsumer('inventory'))?.pauseReason).toBe('answered 410: moved out')
    expect(receiver.requests).toHaveLength(1)

    isGone = false
    await resumeConsumer(storage.db, consumer.id)
    await untilSettled(storage, consumer, last)
    expect(receiver.requests.map(({ headers }) => headers['millrace-attempt'])).toEqual(
      Array(6).fill('1'),
    )
  })

  test('that asks for patience gets it, and no attempt counts', async ({
    storage,
    givenReceiver,
    startPush,
  }) => {
    const source = await givenSource(storage)
    const receiver = await givenReceiver((response, _request, index) => {
      response.writeHead(index < 2 ? 429 : 200, index < 2 ? { 'retry-after': '1' } : {}).end()
    })
    const consumer = await givenPushConsumer(storage, source.sourceNo, receiver.url, {
      max_deliveries: 1,
      push: { max_in_flight: 1 },
    })
    const last = await source.append(orders(3))
    await startPush()
    await untilSettled(storage, consumer, last)
    const [first, second, third] = receiver.requests
    expect(second!.atMs - first!.atMs).toBeGreaterThan(900)
    expect(third!.atMs - second!.atMs).toBeGreaterThan(900)
    expect(new Set(receiver.requests.map(({ headers }) => headers['millrace-attempt']))).toEqual(
      new Set(['1']),
    )
  })

  test('gets no more requests at once than it allows', async ({
    storage,
    givenReceiver,
    startPush,
  }) => {
    const source = await givenSource(storage)
    let atOnce = 0
    const receiver = await givenReceiver((response) => {
      atOnce = Math.max(atOnce, receiver.openCount())
      setTimeout(() => response.end(), 20)
    })
    const consumer = await givenPushConsumer(storage, source.sourceNo, receiver.url, {
      push: { max_in_flight: 3 },
    })
    const last = await source.append(orders(50))
    await startPush()
    await untilSettled(storage, consumer, last)
    expect(atOnce).toBe(3)
  })

  test('gets no more requests a second than it allows', async ({
    storage,
    givenReceiver,
    startPush,
  }) => {
    const source = await givenSource(storage)
    const clock = new ManualClock()
    const begun = clock.now()
    const times: number[] = []
    const receiver = await givenReceiver((response) => {
      times.push(clock.now() - begun)
      response.end()
    })
    await givenPushConsumer(storage, source.sourceNo, receiver.url, {
      push: { max_in_flight: 5, rate_per_second: 10 },
    })
    await source.append(orders(20))
    await startPush({ clock })
    for (let count = 1; count <= 20; count++) {
      await until(`request ${count} came`, () => times.length >= count)
      clock.advance(100)
    }
    expect(times).toEqual(Array.from({ length: 20 }, (_, index) => index * 100))
  })

  test('that answers more than is read gets each change once, one at a time', async ({
    storage,
    givenReceiver,
    startPush,
  }) => {
    const source = await givenSource(storage)
    const long = 'x'.repeat(4 * ANSWER_BYTES_MAX)
    const receiver = await givenReceiver((response) => response.end(long))
    const consumer = await givenPushConsumer(storage, source.sourceNo, receiver.url, {
      push: { max_in_flight: 1 },
    })
    const last = await source.append(orders(40))
    await startPush()
    await untilSettled(storage, consumer, last)
    expect(ids(receiver)).toEqual(orders(40).map(({ id }) => id))
  })

  test('that hangs holds its requests and a few messages, not the backlog', async ({
    storage,
    givenReceiver,
    startPush,
  }) => {
    const source = await givenSource(storage)
    const receiver = await givenReceiver(() => {})
    const consumer = await givenPushConsumer(storage, source.sourceNo, receiver.url, {
      push: { max_in_flight: 4 },
    })
    await source.append(orders(1000))
    await startPush()
    await until('the endpoint is busy', () => receiver.openCount() === 4)
    const { rows } = await storage.pool.query<{ leased: number }>(
      `select coalesce(sum(cardinality(seqs)), 0)::int as leased from millrace.lease where consumer_no = $1`,
      [consumer.consumerNo],
    )
    expect(rows[0]!.leased).toBeLessThanOrEqual(8)
  })
})

describe('an endpoint that cannot be reached', () => {
  test.for([
    ['https://10.0.0.1/hook', /^blocked: the address 10\.0\.0\.1 is private/],
    ['http://rebind.example/hook', /^blocked: rebind\.example: the address 169\.254\.169\.254/],
    ['http://127.0.0.1:1/hook', /^connect: .*REFUSED/],
  ] as const)(
    '%s fails its messages with the reason, and keeps them',
    async ([url, reason], { storage, startPush }) => {
      const source = await givenSource(storage)
      const consumer = await givenPushConsumer(storage, source.sourceNo, url)
      await source.append(orders(3))
      const isOpen: boolean[] = []
      await startPush({
        resolve: (_hostname, done) => done(null, [{ address: '169.254.169.254', family: 4 }]),
        observer: { onBreaker: (_consumer, open) => isOpen.push(open) },
      })
      await until('its breaker is open', () => isOpen.length > 0)
      await until('each has a reason', async () => {
        const reasons = await reasonsOf(storage, consumer)
        return reasons.length === 3 && reasons.every((text) => reason.test(text ?? ''))
      })
      const { rows } = await storage.pool.query('select from millrace.delivery where state = $1', [
        'dead',
      ])
      expect(rows).toEqual([])
    },
  )

  test('but for plain http is reached where that is meant', async ({
    storage,
    givenReceiver,
    startPush,
  }) => {
    const source = await givenSource(storage)
    const receiver = await givenReceiver((response) => response.end())
    const url = receiver.url.replace('127.0.0.1', 'public.example')
    const consumer = await givenPushConsumer(storage, source.sourceNo, url, {
      push: { allow_http: true },
    })
    const last = await source.append(orders(1))
    await startPush({
      // Stands for a public address, which no test may connect to.
      guard: { refuse: () => undefined, isAllowListed: () => false },
      resolve: (_hostname, done) => done(null, [{ address: '127.0.0.1', family: 4 }]),
    })
    await untilSettled(storage, consumer, last)
    expect(receiver.requests).toHaveLength(1)
  })

  test('one that hangs frees its slots in time, and has the rest of its messages afterwards', async ({
    storage,
    givenReceiver,
    startPush,
  }) => {
    const source = await givenSource(storage)
    const receiver = await givenReceiver((response, _request, index) => {
      if (index >= 4) response.end()
    })
    const consumer = await givenPushConsumer(storage, source.sourceNo, receiver.url, {
      push: { max_in_flight: 4, timeout_ms: 1000 },
    })
    const last = await source.append(orders(20))
    let timeouts = 0
    await startPush({
      observer: {
        onRequest: (_consumer, { codeClass }) => {
          if (codeClass === 'timeout') timeouts++
        },
      },
    })
    await untilSettled(storage, consumer, last)
    expect(new Set(ids(receiver))).toEqual(new Set(orders(20).map(({ id }) => id)))
    expect(timeouts).toBeGreaterThanOrEqual(4)
    expect(ids(receiver)).toHaveLength(20 + timeouts)
    expect(receiver.openCount()).toBe(0)
  })
})

describe('a process that stops', () => {
  test('waits for its requests, gives back the rest, and burns no attempt', async ({
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
      push: { max_in_flight: 2 },
    })
    const last = await source.append(orders(50))
    const first = await startPush()
    await until('two requests are open', () => answers.length === 2)
    const stopped = first.stop()
    isHeld = false
    for (const answer of answers) answer()
    await stopped

    const { rows } = await storage.pool.query('select from millrace.lease where consumer_no = $1', [
      consumer.consumerNo,
    ])
    expect(rows).toHaveLength(0)
    await startPush()
    await untilSettled(storage, consumer, last)
    expect(ids(receiver).toSorted((a, b) => a - b)).toEqual(orders(50).map(({ id }) => id))
    expect(new Set(receiver.requests.map(({ headers }) => headers['millrace-attempt']))).toEqual(
      new Set(['1']),
    )
  })

  test('may be stopped twice, and before it started', async ({ startPush }) => {
    const running = await startPush()
    await Promise.all([running.workers.stop(), running.workers.stop()])
    await running.workers.start()
    await running.workers.stop()
  })

  test('leaves its consumers to another process', async ({ storage, givenReceiver, startPush }) => {
    const source = await givenSource(storage)
    const receiver = await givenReceiver((response) => response.end())
    const consumer = await givenPushConsumer(storage, source.sourceNo, receiver.url)
    const first = await startPush({ hasPeers: true })
    const second = await startPush({ hasPeers: true })
    await untilSettled(storage, consumer, await source.append(orders(10)))
    await first.stop()
    await untilSettled(storage, consumer, await source.append(orders(10, 11)))
    await second.stop()
    expect(ids(receiver).toSorted((a, b) => a - b)).toEqual(orders(20).map(({ id }) => id))
  })
})

describe('several processes', () => {
  test('share the consumers, each served by one, and lose nothing when one loses its connection', async ({
    storage,
    givenReceiver,
    startPush,
  }) => {
    const source = await givenSource(storage)
    const receivers = await Promise.all(
      Array.from({ length: 4 }, () => givenReceiver((response) => response.end())),
    )
    const consumers: Consumer[] = []
    for (const [index, { url }] of receivers.entries()) {
      consumers.push(
        await givenPushConsumer(storage, source.sourceNo, url, { name: `service-${index}` }),
      )
    }
    await startPush({ hasPeers: true, label: 'one' })
    await startPush({ hasPeers: true, label: 'two' })
    const countClaims = async (): Promise<number[]> => {
      const { rows } = await storage.pool.query<{ count: number }>(
        `select count(*)::int from pg_locks join pg_stat_activity using (pid)
         where locktype = 'advisory' and mode = 'ExclusiveLock' and application_name = 'millrace push'
           and datname = current_database()
         group by pid`,
      )
      return rows.map(({ count }) => count)
    }
    await until('both serve two', async () => (await countClaims()).join() === '2,2')

    const midway = await source.append(orders(100))
    await storage.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where application_name = 'millrace push' and datname = current_database()`,
    )
    const last = await source.append(orders(100, midway + 1))
    for (const consumer of consumers) await untilSettled(storage, consumer, last)
    await until('both serve two again', async () => (await countClaims()).join() === '2,2')
    for (const receiver of receivers) {
      expect(new Set(ids(receiver))).toEqual(new Set(orders(200).map(({ id }) => id)))
    }
  })
})
