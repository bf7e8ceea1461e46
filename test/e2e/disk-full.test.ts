import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import { expect } from 'vitest'

import { readConfig } from '../../src/config.ts'
import { startServer } from '../../src/main.ts'
import { until } from '../capture/capture-harness.ts'
import { run } from '../capture/watched-sources.ts'
import { test as base, uniqueName } from '../support/database.ts'
import { silentLogger } from '../support/given.ts'
import { RestartablePostgres } from '../support/restartable-postgres.ts'
import { fillUp, mountSmallDisk, moveWal, unmountDisk } from '../support/small-disk.ts'

const STORED = 2_000
const ROWS = 14_000
/** Of a record: what comes while the disk is full is 115 MB. */
const ROW_BYTES = 9_600
const ARRAY_BUFFERS_MAX = 100_000_000
const WARM_UP = 300
/** Leases that fit on what the tables have left, at least; in truth some hundreds. */
const GO_ON_MIN = 50

interface Small {
  postgres: RestartablePostgres
  fill(): Promise<void>
  makeRoom(): Promise<void>
}

interface Answer<T> {
  status: number
  headers: Headers
  body: T
}

/** One request, sent once. */
type Call = <T = unknown>(method: string, path: string, body?: unknown) => Promise<Answer<T>>

const disk = await mountSmallDisk()

/** A storage whose data fill up a disk of their own; its WAL has room. */
const test = base.extend<{ small: Small; call: Call }>({
  small: async ({}, use) => {
    const ballast = join(disk!, 'ballast')
    {
      await using postgres = await RestartablePostgres.start({ shared_buffers: '16MB' }, disk)
      const wal = await moveWal(postgres)
      await use({ postgres, fill: () => fillUp(ballast), makeRoom: () => rm(ballast) })
      await postgres.down()
      await rm(wal, { recursive: true })
    }
    await unmountDisk(disk!)
  },
  call: async ({ small }, use) => {
    const token = randomBytes(12).toString('hex')
    const config = readConfig({
      MILLRACE_STORAGE_URL: small.postgres.urlOf(),
      MILLRACE_SECRET_KEY: randomBytes(32).toString('base64'),
      MILLRACE_ADMIN_TOKEN: token,
      MILLRACE_PORT: '0',
    })
    const server = await startServer(config, silentLogger, { graceMs: 0 })
    await use(async <T>(method: string, path: string, body?: unknown) => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      const payload = body === undefined ? {} : { body: JSON.stringify(body) }
      const answer = await fetch(`${server.address}${path}`, { method, headers, ...payload })
      const text = await answer.text()
      const isJson = answer.headers.get('content-type')?.includes('json') ?? false
      const content = (isJson ? JSON.parse(text) : text) as T
      return { status: answer.status, headers: answer.headers, body: content }
    })
    await server.stop()
  },
})

/** A worker of the consumer: what it has got, and what it was told to be settled. */
class Worker {
  readonly settled: number[] = []
  readonly #call: Call

  constructor(call: Call) {
    this.#call = call
  }

  /** Receives and acks once; answers the first refusal, or undefined. */
  async work(batchSize: number): Promise<Answer<Problem> | undefined> {
    const body = { batch_size: batchSize, wait_for: 0 }
    const received = await this.#call<Messages>('POST', '/v1/consumers/c/receive', body)
    if (received.status !== 200) return received as Answer<never>
    const { data } = received.body
    if (data.length === 0) return undefined
    const ackIds = { ack_ids: data.map(({ ack_id }) => ack_id) }
    const acked = await this.#call<Problem>('POST', '/v1/consumers/c/ack', ackIds)
    if (acked.status !== 200) return acked
    this.settled.push(...data.map(({ record }) => record.id))
    return undefined
  }
}

interface Messages {
  data: { ack_id: string; record: { id: number } }[]
}

interface Problem {
  code: string
  detail: string
}

const LOOKS = `/livez /readyz /metrics /v1/consumers /v1/consumers/c/stats /v1/consumers/c/messages
  /v1/sources/shop/changes /v1/storage/checks`.split(/\s+/)

test.skipIf(disk === undefined)(
  'a server whose storage has no room left says so, goes on where it can, and then with all',
  { timeout: 240_000 },
  async ({ small, call, shop }) => {
    const slot = uniqueName('slot')
    const source = { url: shop.url, slot, publication: slot }
    const consumer = { source: 'shop', tables: ['public.t'], visibility_timeout_ms: 2_000 }
    await shop.query('create table t (id int primary key, pad text)')
    await call('PUT', '/v1/sources/shop', source)
    await call('PUT', '/v1/consumers/c', { ...consumer, start_from: 'earliest' })
    await shop.query(`insert into t select generate_series(1, ${STORED})`)
    const readStats = async () => (await call<Stats>('GET', '/v1/consumers/c/stats')).body
    await until(async () => (await readStats()).backlog === STORED)
    const worker = new Worker(call)
    for (let count = 0; count < WARM_UP; count++) await worker.work(1)
    // As autovacuum does in its own time: what settled leases took is free again.
    await run(small.postgres.urlOf(), 'vacuum millrace.lease, millrace.tick')

    await small.fill()
    await shop.query(`insert into t select i, repeat(md5(i::text), ${ROW_BYTES} / 32)
      from generate_series(${STORED + 1}, ${ROWS}) i`)
    const readHealth = async () => (await call<Health>('GET', '/v1/sources/shop/health')).body
    await until(async () => /storage: .*No space left/.test((await readHealth()).reason ?? ''))

    let refusal: Answer<Problem> | undefined
    while (!refusal) refusal = await worker.work(1)
    expect(worker.settled.length).toBeGreaterThan(WARM_UP + GO_ON_MIN)
    expect(refusal).toMatchObject({ status: 503, body: { code: 'storage_unavailable' } })
    expect(refusal.body.detail).toMatch(/disk of the storage database is full/)
    expect(refusal.headers.get('retry-after')).toBe('1')

    const readFailures = async () => {
      const { body } = await call<string>('GET', '/metrics')
      return Number(/^millrace_source_failures_total\{source="shop"\} (\d+)/m.exec(body)?.[1])
    }
    let arrayBuffersMax = 0
    await until(async () => {
      arrayBuffersMax = Math.max(arrayBuffersMax, process.memoryUsage().arrayBuffers)
      for (const path of LOOKS)
        expect([path, (await call('GET', path)).status]).toEqual([path, 200])
      return (await readFailures()) >= 4
    })
    expect(arrayBuffersMax).toBeLessThan(ARRAY_BUFFERS_MAX)

    await small.makeRoom()
    await until(async () => {
      await worker.work(500)
      return worker.settled.length >= ROWS
    })
    expect(new Set(worker.settled).size).toBe(ROWS)
    expect(worker.settled).toHaveLength(ROWS)
    await until(async () => (await readHealth()).state === 'healthy')
    expect(await readStats()).toMatchObject({ backlog: 0, leased: 0, retrying: 0, dead: 0 })
  },
)

interface Stats {
  backlog: number
}

interface Health {
  state: string
  reason: string | null
}
