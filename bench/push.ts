import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

import { Pool } from 'undici'

import { createAddressGuard } from '../src/push/address-guard.ts'
import { EndpointClient } from '../src/push/endpoint-client.ts'
import { createPushSecrets } from '../src/push/push-secrets.ts'
import { systemClock } from '../src/push/clock.ts'
import { PushWorker } from '../src/push/push-worker.ts'
import { Queues } from '../src/queue/queues.ts'
import type { Consumer } from '../src/queue/consumer.ts'
import { openDatabase, type Database } from '../src/storage/database.ts'
import { migrate } from '../src/storage/migrate.ts'
import { createLogger } from '../src/log.ts'
import type { BenchOptions } from './main.ts'
import { openBenchPostgres } from './support/bench-postgres.ts'
import { formatRate, median, note, printFigures, type Figure } from './support/figures.ts'
import { describeMachine } from './support/machine.ts'
import { createPushConsumer, fillLog } from './support/push-log.ts'

const RATIO_MIN = 0.6
const CONCURRENCIES = [1, 10, 100]
/** Warms the code and the connections of both sides; not measured. */
const WARM_UP_SHARE = 0.2

interface Measured {
  perSecond: number
  /** Of one request, in ms. */
  p50: number
  p99: number
}

interface Target {
  url: string
  /** Requests so far, as the receiver counts them. */
  count(): Promise<number>
  stop(): void
}

/**
 * Pushing from a real queue, leases and acks included, beside a bare undici loop that
 * posts the same bodies to the same receiver, in turns.
 */
export async function run(options: BenchOptions): Promise<void> {
  const messages = options.messages ?? (options.smoke ? 300 : 60_000)
  const rounds = options.rounds ?? (options.smoke ? 1 : 5)
  const postgres = await openBenchPostgres(options.postgres)
  const target = await startTarget()
  const database = openDatabase(await postgres.createDatabase('push'))
  try {
    await migrate(database)
    const bodies = await fillLog(database, messages)
    const figures: Figure[] = []
    for (const concurrency of CONCURRENCIES) {
      // One at a time takes longest, and a tenth says as much.
      const count = concurrency === 1 ? Math.ceil(messages / 3) : messages
      note(`${concurrency} at a time, ${count} messages, ${rounds} rounds`)
      const bare: Measured[] = []
      const ours: Measured[] = []
      for (let round = 0; round < rounds; round++) {
        bare.push(await postBare(target, bodies, concurrency, count))
        ours.push(await pushAll(database, target, concurrency, count))
      }
      figures.push(...describe(concurrency, count, bare, ours))
    }
    printFigures(`bench push on ${describeMachine(postgres.description)}`, figures)
  } finally {
    target.stop()
    await database.close()
    await postgres.stop()
  }
}

function describe(
  concurrency: number,
  count: number,
  bare: readonly Measured[],
  ours: readonly Measured[],
): Figure[] {
  const middle = (runs: readonly Measured[], what: keyof Measured): number =>
    median(runs.map((one) => one[what]))
  const workload = `${count.toLocaleString('en')} messages, ${concurrency} at a time`
  const show = (runs: readonly Measured[]): string =>
    `${formatRate(middle(runs, 'perSecond'), 'msg')}, request p50 ${middle(runs, 'p50').toFixed(2)} ms, p99 ${middle(runs, 'p99').toFixed(2)} ms`
  const ratio = median(ours.map(({ perSecond }, round) => perSecond / bare[round]!.perSecond))
  return [
    { what: 'bare undici loop', workload, value: show(bare) },
    { what: 'push', workload, value: show(ours) },
    {
      what: 'push / bare',
      workload,
      value: ratio.toFixed(2),
      limit: { text: `≥ ${RATIO_MIN}`, kept: ratio >= RATIO_MIN },
    },
  ]
}

async function startTarget(): Promise<Target> {
  const child: ChildProcess = fork(new URL('./support/push-receiver.ts', import.meta.url))
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  return {
    url: `http://127.0.0.1:${port}/hook`,
    async count() {
      const answer = once(child, 'message')
      child.send('count')
      const [{ received }] = (await answer) as [{ received: number }]
      return received
    },
    stop: () => child.disconnect(),
  }
}

/** The most that could be: the same bodies, from memory, without anything to remember. */
async function postBare(
  target: Target,
  bodies: readonly string[],
  concurrency: number,
  count: number,
): Promise<Measured> {
  const url = new URL(target.url)
  const pool = new Pool(url.origin, { connections: concurrency, pipelining: 1 })
  const warmUp = Math.ceil(count * WARM_UP_SHARE)
  const timer = new RequestTimer(warmUp)
  let next = 0
  const post = async (): Promise<void> => {
    while (next < count + warmUp) {
      const body = bodies[next++ % bodies.length]!
      const begun = performance.now()
      const answer = await pool.request({
        path: url.pathname,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      })
      await answer.body.dump()
      timer.add(performance.now() - begun)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, post))
  await pool.close()
  return timer.finish()
}

async function pushAll(
  database: Database,
  target: Target,
  concurrency: number,
  count: number,
): Promise<Measured> {
  const logger = createLogger({ level: 'warn', pretty: true, stream: process.stderr })
  const warmUp = Math.ceil(count * WARM_UP_SHARE)
  const push = {
    url: target.url,
    batch_size: 1,
    timeout_ms: 15_000,
    max_in_flight: concurrency,
    rate_per_second: null,
    allow_http: false,
  }
  const consumer: Consumer = await createPushConsumer(database, push, count + warmUp)
  const queues = new Queues({ database, logger })
  await queues.start()
  const timer = new RequestTimer(warmUp)
  const before = await target.count()
  const { promise: done, resolve } = Promise.withResolvers<void>()
  const worker = new PushWorker({
    queue: queues,
    consumer,
    push,
    secrets: createPushSecrets(),
    endpoint: new EndpointClient({
      guard: createAddressGuard(['127.0.0.0/8']),
      url: push.url,
      timeoutMs: push.timeout_ms,
      connectionsMax: concurrency,
    }),
    pause: () => Promise.resolve(),
    clock: systemClock,
    logger,
    observer: {
      onRequest: (_consumer, { durationMs }) => {
        timer.add(durationMs)
        if (timer.total >= count + warmUp) resolve()
      },
    },
    userAgent: 'Millrace/bench',
    label: 'bench',
  })
  worker.start()
  await done
  // The rate is that of answered requests; acks trail by one call, which is awaited here.
  await worker.stop()
  const measured = timer.finish()
  await queues.stop()
  const received = (await target.count()) - before
  if (received !== count + warmUp) {
    throw new Error(`the receiver got ${received} requests instead of ${count + warmUp}`)
  }
  return measured
}

/** Rate and latencies of the requests after the first few. */
class RequestTimer {
  readonly #skip: number
  readonly #durationsMs: number[] = []
  #begunAt = 0
  #endedAt = 0
  total = 0

  constructor(skip: number) {
    this.#skip = skip
  }

  add(durationMs: number): void {
    this.total++
    if (this.total === this.#skip) this.#begunAt = performance.now()
    if (this.total <= this.#skip) return
    this.#durationsMs.push(durationMs)
    this.#endedAt = performance.now()
  }

  finish(): Measured {
    const sorted = this.#durationsMs.toSorted((a, b) => a - b)
    return {
      perSecond: sorted.length / ((this.#endedAt - this.#begunAt) / 1000),
      p50: sorted[Math.floor(sorted.length * 0.5)]!,
      p99: sorted[Math.floor(sorted.length * 0.99)]!,
    }
  }
}
