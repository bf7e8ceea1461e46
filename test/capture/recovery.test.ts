import { connect, createServer, type Server, type Socket } from 'node:net'

import pg from 'pg'
import { describe, expect } from 'vitest'

import { Reader } from '../../src/capture/reader.ts'
import type { SourceSettings } from '../../src/capture/source-settings.ts'
import { openDatabase, type Database } from '../../src/storage/database.ts'
import { runAdmin, test } from '../support/database.ts'
import {
  Capture,
  makeSource,
  ORDERS,
  readLog,
  silent,
  until,
  type Shop,
} from './capture-harness.ts'

/** What the slot was told, as a number. */
async function readConfirmed(shop: Shop, source: SourceSettings): Promise<bigint> {
  const { rows } = await shop.query<{ lsn: string }>(
    `select (confirmed_flush_lsn - '0/0')::text as lsn from pg_replication_slots where slot_name = $1`,
    [source.slot],
  )
  return BigInt(rows[0]!.lsn)
}

async function readState(storage: Database, source: SourceSettings) {
  const { rows } = await storage.pool.query<{
    state: string
    state_reason: string | null
    state_remedy: string | null
    gaps: { from: string; to: string; reason: string }[]
  }>('select state, state_reason, state_remedy, gaps from millrace.reader where source_no = $1', [
    source.sourceNo,
  ])
  return rows[0]!
}

function endStream(source: SourceSettings): Promise<void> {
  return runAdmin(
    `select pg_terminate_backend(active_pid) from pg_replication_slots
     where slot_name = '${source.slot}' and active_pid is not null`,
  )
}

/** Holds every flush up just before its commit, until released. */
async function holdFlushes(storage: Database) {
  const client = new pg.Client(storage.url)
  await client.connect()
  await client.query('begin; lock table millrace.position in share mode')
  return {
    /** Resolves when a flush waits. */
    waiting: () =>
      until(async () => {
        const { rowCount } = await client.query(
          `select from pg_locks where relation = 'millrace.position'::regclass and not granted`,
        )
        return rowCount! > 0
      }),
    /** Ends the waiting flush as a crash of its backend would. */
    kill: () =>
      client.query(
        `select pg_terminate_backend(pid) from pg_locks
         where relation = 'millrace.position'::regclass and not granted`,
      ),
    release: () => client.end(),
  }
}

async function expectEachOnce(storage: Database, shop: Shop, source: SourceSettings) {
  const keys = (await readLog(storage, source)).map(({ key }) => Number(key))
  const { rows } = await shop.query<{ id: string }>('select id from orders order by id')
  expect(keys).toEqual(rows.map(({ id }) => Number(id)))
}

describe('each change is stored once', () => {
  test('when the flush dies before its commit', async ({ storage, shop }) => {
    await shop.query(ORDERS)
    const source = await makeSource(storage, shop)
    await using capture = new Capture(storage, source)
    await shop.query('insert into orders default values')
    await capture.waitFor(1)

    const hold = await holdFlushes(storage)
    await shop.query('insert into orders default values; insert into orders default values')
    await hold.waiting()
    const confirmed = await readConfirmed(shop, source)
    await hold.kill()
    await hold.release()
    await shop.query('insert into orders default values')
    await until(async () => (await readLog(storage, source)).length >= 4)
    await expectEachOnce(storage, shop, source)
    // Nothing that waited to be stored was confirmed; what lies before it may have been.
    const [, waiting] = await readLog(storage, source)
    expect(confirmed).toBeLessThanOrEqual(BigInt(waiting!.commit_lsn))
  })

  test('when the source cuts us off between commit and confirmation', async ({ storage, shop }) => {
    await shop.query(ORDERS)
    const source = await makeSource(storage, shop)
    await using _capture = new Capture(storage, source)
    const hold = await holdFlushes(storage)
    await shop.query('insert into orders default values')
    await hold.waiting()
    await endStream(source)
    const confirmed = await readConfirmed(shop, source)
    await hold.release()
    await shop.query('insert into orders default values')
    await until(async () => (await readLog(storage, source)).length >= 2)
    await expectEachOnce(storage, shop, source)
    const [waiting] = await readLog(storage, source)
    expect(confirmed).toBeLessThanOrEqual(BigInt(waiting!.commit_lsn))
  })

  test('when the answer to a commit is lost', async ({ storage, shop }) => {
    await shop.query(ORDERS)
    const source = await makeSource(storage, shop)
    await using proxy = await Proxy.start(Number(new URL(storage.url).port))
    const url = new URL(storage.url)
    url.port = String(proxy.port)
    await using through = new Through(url.href)
    await using capture = new Capture(through.database, source)
    await shop.query('insert into orders default values')
    await capture.waitFor(1)
    proxy.swallow()
    await shop.query('insert into orders default values')
    await until(async () => (await readLog(storage, source)).length === 2)
    proxy.cut()
    await shop.query('insert into orders default values')
    await until(async () => (await readLog(storage, source)).length >= 3)
    await expectEachOnce(storage, shop, source)
  })

  test('through stops and starts at any moment', async ({ storage, shop }) => {
    await shop.query(ORDERS)
    const source = await makeSource(storage, shop)
    for (let round = 1; round <= 8; round++) {
      await using capture = new Capture(storage, source)
      const loading = shop.query(
        `do $$ begin for i in 1..100 loop insert into orders (quantity)
           select i from generate_series(1, 3); commit; end loop; end $$`,
      )
      await capture.waitFor(50)
      // Every second time without a chance to finish anything.
      if (round % 2 === 0) {
        await runAdmin(`select pg_terminate_backend(pid) from pg_stat_activity
          where application_name like '% ${source.name}'`)
      }
      await capture.reader.stop()
      await loading
    }
    await using capture = new Capture(storage, source)
    await until(async () => (await readLog(storage, source)).length >= 2400)
    await until(() => capture.reader.state === 'healthy')
    await expectEachOnce(storage, shop, source)
  })

  test('when a transaction is stored in pieces and cut between two', async ({ storage, shop }) => {
    await shop.query(ORDERS)
    const source = await makeSource(storage, shop)
    await shop.query('insert into orders (quantity) select generate_series(1, 30000)')
    {
      await using capture = new Capture(storage, source)
      await capture.waitFor(1)
      expect(capture.entries.length).toBeLessThan(30000)
    }
    await using capture = new Capture(storage, source)
    await until(async () => (await readLog(storage, source)).length >= 30000)
    const log = await readLog(storage, source)
    expect(log.map(({ commit_idx }) => commit_idx)).toEqual(
      [...Array(30000).keys()].map((index) => index + 1),
    )
    expect(new Set(log.map(({ commit_lsn }) => commit_lsn)).size).toBe(1)
    await capture.reader.stop()
  })
})

test('a reader that another has replaced writes nothing any more', async ({ storage, shop }) => {
  await shop.query(ORDERS)
  const source = await makeSource(storage, shop)
  await using capture = new Capture(storage, source, {
    timing: { slotInUseMs: 60_000, backoffMinMs: 60_000, backoffMaxMs: 60_000 },
  })
  await shop.query('insert into orders default values')
  await capture.waitFor(1)
  await storage.pool.query('update millrace.reader set epoch = epoch + 1')
  await shop.query('insert into orders default values')
  await until(() => capture.reader.state === 'retrying')
  expect(capture.reader.failure?.reason).toMatch(/another process reads/)
  expect(await readLog(storage, source)).toHaveLength(1)
})

test('an idle slot moves on past WAL that is not ours', async ({ storage, shop }) => {
  await shop.query(`create unlogged table noise (x int)`)
  const source = await makeSource(storage, shop)
  await using capture = new Capture(storage, source)
  await until(() => capture.reader.state === 'healthy')
  await shop.query(`select pg_logical_emit_message(false, 'other', repeat('x', 100000))`)
  const target = await shop.query<{ lsn: string }>(
    `select (pg_current_wal_lsn() - '0/0')::text as lsn`,
  )
  await until(async () => (await readConfirmed(shop, source)) >= BigInt(target.rows[0]!.lsn))
})

describe('a source that a person must mend', () => {
  test('says so when its slot is gone, and passes nothing over', async ({ storage, shop }) => {
    await shop.query(ORDERS)
    const source = await makeSource(storage, shop)
    await shop.query('select pg_drop_replication_slot($1)', [source.slot])
    await using capture = new Capture(storage, source)
    await until(() => capture.reader.state === 'needs_attention')
    await until(async () => (await readState(storage, source)).state === 'needs_attention')
    expect((await readState(storage, source)).state_remedy).toContain(
      `pg_create_logical_replication_slot('${source.slot}', 'pgoutput')`,
    )
    // Made again it begins behind our position: still not passed over.
    await shop.query('insert into orders default values')
    await shop.query(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [source.slot])
    await until(() => /changes are missing/.test(capture.reader.failure?.reason ?? ''))
    expect(await readLog(storage, source)).toEqual([])
  })

  test('says so when its publication is dropped, with the gap, and goes on when it is back', async ({
    storage,
    shop,
  }) => {
    await shop.query(ORDERS)
    const source = await makeSource(storage, shop)
    await using capture = new Capture(storage, source)
    await shop.query('insert into orders default values')
    await capture.waitFor(1)
    await shop.query(`drop publication "${source.publication}"`)
    await until(async () => (await readState(storage, source)).state === 'needs_attention')
    const broken = await readState(storage, source)
    expect(broken.state_reason).toMatch(/publication .* does not exist/)
    expect(broken.gaps).toHaveLength(1)

    await shop.query('insert into orders default values')
    await shop.query(`create publication "${source.publication}" for all tables`)
    await until(async () => (await readState(storage, source)).state === 'healthy')
    await shop.query('insert into orders default values')
    await until(async () => (await readLog(storage, source)).some(({ key }) => key === '3'))
    const { gaps } = await readState(storage, source)
    expect(gaps).toHaveLength(1)
    expect(gaps[0]).toMatchObject({ open: false, reason: 'the publication did not exist' })
  })

  test('says so when another cluster answers', async ({ storage, shop }) => {
    const source = await makeSource(storage, shop)
    await storage.pool.query(`update millrace.reader set system_identifier = '1'`)
    await using capture = new Capture(storage, source)
    await until(() => capture.reader.state === 'needs_attention')
    expect(capture.reader.failure?.reason).toMatch(/another Postgres cluster/)
  })

  test('says so when the password is wrong, without the password', async ({ storage, shop }) => {
    const source = await makeSource(storage, shop)
    const wrong = { ...source, user: 'nobody_at_all', password: 'secret-word' }
    await using capture = new Capture(storage, wrong)
    await until(() => capture.reader.state === 'needs_attention')
    expect(JSON.stringify(await readState(storage, source))).not.toContain('secret-word')
  })
})

test('a source that does not answer is tried again, and stops at once when told', async ({
  storage,
  shop,
}) => {
  const source = await makeSource(storage, shop)
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  server.close()
  const reader = new Reader({
    storage,
    source: { ...source, port },
    processId: '00000000-0000-0000-0000-000000000000',
    log: silent,
    onAppend: () => {},
  })
  reader.start()
  await until(() => reader.metrics.failures > 0)
  expect(reader.state).toBe('retrying')
  await reader.stop()
  await reader.stop()
})

/** A storage behind a proxy. */
class Through implements AsyncDisposable {
  readonly database: Database

  constructor(url: string) {
    this.database = openDatabase(url)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.database.close()
  }
}

/** Forwards connections to a local port, and does them harm when asked. */
class Proxy implements AsyncDisposable {
  readonly #sockets = new Set<Socket>()
  readonly #server: Server
  #swallows = false
  port = 0

  constructor(target: number) {
    this.#server = createServer((client) => {
      const upstream = connect(target, '127.0.0.1')
      for (const socket of [client, upstream]) {
        this.#sockets.add(socket)
        socket.on('error', () => {})
        socket.on('close', () => this.#sockets.delete(socket))
      }
      const mute = (): boolean => this.#swallows
      client.pipe(upstream)
      upstream.on('data', (data) => {
        if (!mute()) client.write(data)
      })
      upstream.on('end', () => client.end())
    })
  }

  static async start(target: number): Promise<Proxy> {
    const proxy = new Proxy(target)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    const address = proxy.#server.address()
    proxy.port = typeof address === 'object' && address ? address.port : 0
    return proxy
  }

  /** From now on no answer comes through. */
  swallow(): void {
    this.#swallows = true
  }

  /** Ends all connections; new ones are let through. */
  cut(): void {
    this.#swallows = false
    for (const socket of this.#sockets) socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
