import { describe, expect } from 'vitest'

import { Metrics, type SourceCounts } from '../src/metrics.ts'
import { Queues } from '../src/queue/queues.ts'
import { test as base } from './support/database.ts'
import { givenConsumer, givenSource, orders, silentLogger } from './support/given.ts'

const test = base.extend<{ metrics: Metrics; queues: Queues }>({
  // oxlint-disable-next-line no-empty-pattern -- vitest reads the fixtures from the pattern
  metrics: async ({}, use) => use(new Metrics()),
  queues: async ({ storage, metrics }, use) => {
    const queues = new Queues({
      database: storage,
      logger: silentLogger,
      onTick: (consumer, counts, leaseLost) => metrics.countTick(consumer, counts, leaseLost),
      onLatency: (consumer, step, ms) => metrics.observeLatency(consumer, step, ms),
    })
    await queues.start()
    await use(queues)
    await queues.stop()
  },
})

const render = (
  metrics: Metrics,
  queues: Queues,
  counts: readonly SourceCounts[] = [],
): Promise<string> =>
  metrics.render({
    listConsumers: () => queues.listConsumers(),
    getStats: (consumer) => queues.getStats(consumer),
    listSourceCounts: () => counts,
  })

/** The value of each sample by its name and labels. */
function readSamples(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ')
      return [line.slice(0, space), Number(line.slice(space + 1))]
    }),
  )
}

describe('metrics', () => {
  test('have the names that dashboards and alerts rely on', async ({ metrics, queues }) => {
    const text = await render(metrics, queues)

    const names = [...text.matchAll(/^# TYPE millrace_(\w+) /gm)].map(([, name]) => name)
    expect(names).toEqual(
      expect.arrayContaining(
        `consumer_messages consumer_oldest_message_age_seconds deliveries_total settlements_total
        lease_expirations_total receive_waiters commit_to_delivery_seconds commit_to_ack_seconds
        push_requests_total push_request_duration_seconds push_breaker_open source_lag_bytes
        source_catalog_xmin_age_transactions
        source_changes_total source_undecodable_total http_request_duration_seconds
        build_info`.split(/\s+/),
      ),
    )
  })

  test('tell of each source what its reader counts', async ({ metrics, queues }) => {
    const counts = { failures: 1, changes: 2, undecodable: 3, lagBytes: 4, gaps: 5 }
    const samples = readSamples(
      await render(metrics, queues, [
        { source: 'shop', state: 'healthy', ...counts, catalogXminAge: 6 },
      ]),
    )

    const names = `failures_total changes_total undecodable_total lag_bytes gaps
      catalog_xmin_age_transactions`.split(/\s+/)
    expect(names.map((name) => samples.get(`millrace_source_${name}{source="shop"}`))).toEqual([
      1, 2, 3, 4, 5, 6,
    ])
    const state = (name: string): number | undefined =>
      samples.get(`millrace_source_state{source="shop",state="${name}"}`)
    expect([state('healthy'), state('retrying')]).toEqual([1, 0])
  })

  test('tell of a message how long after its commit it was delivered and acked', async ({
    storage,
    metrics,
    queues,
  }) => {
    const source = await givenSource(storage)
    const { name } = await givenConsumer(storage, source.sourceNo)
    await queues.refresh()
    await source.append(orders(3))
    await storage.pool.query(
      "update millrace.log set committed_at = committed_at - interval '2 minutes'",
    )
    const consumer = (await queues.findConsumer(name))!

    const { messages } = await queues.receive(consumer, {
      batchSize: 3,
      waitMs: 10_000,
      maxBytes: 1e6,
    })
    await queues.settle(
      consumer,
      messages.map(({ ackId }) => ({ kind: 'ack', ackId })),
    )
    const samples = readSamples(await render(metrics, queues))

    for (const step of ['delivery', 'ack']) {
      const at = (suffix: string): number | undefined =>
        samples.get(`millrace_commit_to_${step}_seconds_${suffix}`)
      expect([step, at(`count{consumer="${name}"}`)]).toEqual([step, 1])
      expect(at(`sum{consumer="${name}"}`)).toBeGreaterThanOrEqual(120)
      expect(at(`bucket{le="60",consumer="${name}"}`)).toBe(0)
    }
    expect(samples.get(`millrace_deliveries_total{consumer="${name}",mode="pull"}`)).toBe(3)
  })
})
