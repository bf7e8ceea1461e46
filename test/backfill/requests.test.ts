import { randomBytes } from 'node:crypto'

import { describe, expect } from 'vitest'

import { readSourceSettings } from '../../src/capture/source.ts'
import { Queues } from '../../src/queue/queues.ts'
import { connectionOf, until, type Capture, type Shop } from '../capture/capture-harness.ts'
import { makeApi, type Answer, type Api } from '../http/api.ts'
import { test as base, uniqueName } from '../support/database.ts'
import { silentLogger } from '../support/given.ts'
import { captureWithBackfills } from './harness.ts'

interface Server extends Api {
  /** Connects the shop as the source "shop". */
  connect: (shop: Shop) => Promise<void>
  /** Begins to read it. */
  read: () => Promise<Capture>
  untilDone: (path: string) => Promise<Answer['body']>
}

const test = base.extend<{ server: Server }>({
  server: async ({ storage }, use) => {
    const secretKey = randomBytes(32)
    const queues = new Queues({ database: storage, logger: silentLogger })
    await queues.start()
    const api = makeApi(storage, queues, { secretKey })
    const captures: Capture[] = []
    await use({
      ...api,
      async connect(shop) {
        const name = uniqueName('s')
        const { ssl, ...connection } = connectionOf(shop)
        const body = { name: 'shop', ...connection, ssl, slot: name, publication: name }
        const { status, body: answer } = await api.call('POST', '/v1/sources', body)
        if (status !== 201) throw new Error(JSON.stringify(answer))
      },
      async read() {
        const settings = await readSourceSettings(storage.db, 1, secretKey)
        const capture = captureWithBackfills(storage, settings!, {
          onAppend: (sourceNo, entries) => queues.append(sourceNo, entries),
        })
        captures.push(capture)
        return capture
      },
      async untilDone(path) {
        let body: Answer['body']
        await until(async () => {
          ;({ body } = await api.call('GET', path))
          return (
            body.data.length > 0 &&
            body.data.every(({ state }: { state: string }) => state === 'done')
          )
        })
        return body.data
      },
    })
    for (const capture of captures) await capture[Symbol.asyncDispose]()
    await queues.stop()
  },
})

/** Receives and acks until nothing comes any more. */
async function drain(
  api: Api,
  consumer: string,
): Promise<{ action: string; record: Record<string, unknown> }[]> {
  const messages = []
  for (;;) {
    const { body } = await api.call('POST', `/v1/consumers/${consumer}/receive`, {
      batch_size: 100,
      wait_for: '0s',
    })
    if (body.data.length === 0) return messages
    messages.push(...body.data)
    const ack_ids = body.data.map(({ ack_id }: { ack_id: string }) => ack_id)
    await api.call('POST', `/v1/consumers/${consumer}/ack`, { ack_ids })
  }
}

const TABLES = `create table orders (id int primary key, v int); insert into orders select i, 0 from generate_series(1, 50) i;
  create table items (id int, n int, v int, primary key (id, n)); insert into items select i, 1, 0 from generate_series(1, 20) i;
  create table other (id int primary key); insert into other values (1)`

describe('a consumer', () => {
  test('that starts from a backfill gets the rows that exist, then their changes', async ({
    server,
    storage,
    shop,
  }) => {
    await shop.query(TABLES)
    await server.connect(shop)
    const tables = ['public.orders', 'public.items']
    const created = await server.call('POST', '/v1/consumers', {
      name: 'inventory',
      source: 'shop',
      tables,
      start_from: 'backfill',
    })
    await server.call('POST', '/v1/consumers', { name: 'shipping', source: 'shop', tables })
    const pending = await server.call('GET', '/v1/consumers/inventory/backfills')
    await server.read()
    const done = await server.untilDone('/v1/consumers/inventory/backfills')
    await shop.query('update orders set v = 1 where id <= 3')
    await until(
      async () =>
        (await server.queues.getStats((await server.queues.findConsumer('shipping'))!)).backlog ===
        3,
    )

    const inventory = await drain(server, 'inventory')
    const shipping = await drain(server, 'shipping')

    expect(created.status).toBe(201)
    expect(pending.body.data).toMatchObject([
      { state: 'pending', table: null, consumer: 'inventory', source: 'shop' },
    ])
    expect(done).toMatchObject([
      { table: 'public.orders', rows_read: 50, rows_scanned: 50, error: null },
      { table: 'public.items', rows_read: 20, rows_scanned: 20 },
    ])
    expect(inventory.filter(({ action }) => action === 'read')).toHaveLength(70)
    expect(inventory.filter(({ action }) => action !== 'read').map(({ record }) => record)).toEqual(
      [
        { id: 1, v: 1 },
        { id: 2, v: 1 },
        { id: 3, v: 1 },
      ],
    )
    const first = inventory.filter(({ record }) => record['id'] === 1 && !('n' in record))
    expect(first.map(({ action }) => action)).toEqual(['read', 'update'])
    expect(shipping.map(({ action }) => action)).toEqual(['update', 'update', 'update'])
    const { rows } = await storage.pool.query(
      'select distinct recipient_no from millrace.log where action = $1',
      ['r'],
    )
    expect(rows).toEqual([{ recipient_no: 1 }])
  })

  test('gets what is read for it or for all, and nothing of what is read for others', async ({
    server,
    shop,
  }) => {
    await shop.query(TABLES)
    await server.connect(shop)
    for (const name of ['inventory', 'shipping']) {
      await server.call('POST', '/v1/consumers', { name, source: 'shop', tables: ['public.*'] })
    }
    await server.read()
    const own = await server.call('POST', '/v1/consumers/shipping/backfills', {
      table: 'public.orders',
      from_key: [41],
    })
    const all = await server.call('POST', '/v1/sources/shop/backfills', {
      table: 'public.items',
      where: 'id < 4',
    })
    const done = await server.untilDone('/v1/sources/shop/backfills')

    expect([own.status, all.status]).toEqual([201, 201])
    expect(own.body.data).toMatchObject([
      { state: 'pending', consumer: 'shipping', table: 'public.orders', from_key: ['41'] },
    ])
    expect(done).toHaveLength(2)
    const stats = await server.call('GET', '/v1/consumers/inventory/stats')
    expect(stats.body.backlog).toBe(3)
    const inventory = await drain(server, 'inventory')
    const shipping = await drain(server, 'shipping')
    expect(inventory.map(({ record }) => record['id'])).toEqual([1, 2, 3])
    expect(shipping).toHaveLength(13)
    expect(new Set(shipping.map(({ action }) => action))).toEqual(new Set(['read']))
  })

  test('is refused a backfill that could not be done, before anything is stored', async ({
    server,
    shop,
  }) => {
    await shop.query(`${TABLES}; create table parts (id int) partition by list (id)`)
    await server.connect(shop)
    await server.call('POST', '/v1/consumers', {
      name: 'inventory',
      source: 'shop',
      tables: ['public.orders'],
    })
    const ask = async (body: object): Promise<unknown[]> => {
      const answer = await server.call('POST', '/v1/consumers/inventory/backfills', body)
      return [answer.status, answer.body.errors?.[0].pointer]
    }
    expect(await ask({ table: 'public.items' })).toEqual([422, '/table'])
    expect(await ask({ table: 'public.nowhere' })).toEqual([422, '/table'])
    expect(await ask({ table: 'public.*' })).toEqual([422, '/table'])
    expect(await ask({ where: 'no_such = 1' })).toEqual([422, '/where'])
    expect(await ask({ where: 'true) union select from items where (true' })).toEqual([
      422,
      '/where',
    ])
    expect(await ask({ where: 'true); delete from orders; --' })).toEqual([422, '/where'])
    expect(await ask({ from_key: ['x'] })).toEqual([422, '/from_key'])
    expect(await ask({ from_key: [1, 2] })).toEqual([422, '/from_key'])
    const parts = await server.call('POST', '/v1/sources/shop/backfills', { table: 'public.parts' })
    expect([parts.status, parts.body.errors[0].pointer]).toEqual([422, '/table'])

    expect(await ask({})).toEqual([201, undefined])
    expect((await ask({}))[0]).toBe(409)
    expect((await server.call('GET', '/v1/sources/shop/backfills')).body.data).toHaveLength(1)
  })

  test('without the scope admin has no say in SQL', async ({ server, shop }) => {
    await shop.query(TABLES)
    await server.connect(shop)
    await server.call('POST', '/v1/consumers', {
      name: 'inventory',
      source: 'shop',
      tables: ['public.orders'],
    })
    const { body } = await server.call('POST', '/v1/tokens', { name: 'm', scopes: ['manage'] })
    const path = '/v1/consumers/inventory/backfills'
    const refused = await server.call('POST', path, { where: 'true' }, { token: body.token })
    const allowed = await server.call('POST', path, {}, { token: body.token })
    expect([refused.status, refused.body.code, allowed.status]).toEqual([
      403,
      'insufficient_scope',
      201,
    ])
  })
})

describe('a backfill', () => {
  test('is paused, goes on where it was, and is cancelled', async ({ server, storage, shop }) => {
    await shop.query(`create table orders (id int primary key, pad text);
      insert into orders select i, repeat('x', 1000) from generate_series(1, 40000) i`)
    await server.connect(shop)
    await server.call('POST', '/v1/consumers', { name: 'inventory', source: 'shop', tables: ['*'] })
    await server.read()
    const { body } = await server.call('POST', '/v1/sources/shop/backfills', {
      table: 'public.orders',
    })
    const path = `/v1/sources/shop/backfills/${body.data[0].id}`
    const look = async () => (await server.call('GET', path)).body
    await until(async () => (await look()).rows_read > 0)

    const paused = await server.call('POST', `${path}/pause`)
    // The page that was under way is the last one: the log stands still behind it.
    let seen = -1
    await until(async () => {
      const before = seen
      seen = (await look()).rows_read
      await shop.query(`select pg_logical_emit_message(true, 'x', '')`)
      return seen === before
    })
    const again = await server.call('POST', `${path}/pause`)
    const resumed = await server.call('POST', `${path}/resume`)
    await until(async () => (await look()).rows_read > seen)
    const cancelled = await server.call('POST', `${path}/cancel`)
    const tooLate = await server.call('POST', `${path}/resume`)
    const next = await server.call('POST', '/v1/consumers/inventory/backfills', {
      from_key: ['39999'],
    })
    const own = `/v1/consumers/inventory/backfills/${next.body.data[0].id}`
    await until(async () => (await server.call('GET', own)).body.state === 'done')

    expect([paused.status, paused.body.state, again.body.state]).toEqual([200, 'paused', 'paused'])
    expect(resumed.body.state).toBe('pending')
    expect([cancelled.body.state, cancelled.body.finished_at]).toEqual([
      'cancelled',
      expect.any(String),
    ])
    expect([tooLate.status, tooLate.body.code]).toEqual([409, 'conflict'])
    const ended = await look()
    expect(ended.state).toBe('cancelled')
    expect(ended.rows_read).toBeLessThan(40_000)
    const { rows } = await storage.pool.query<{ key: string }>(
      `select key from millrace.log where action = 'r' and recipient_no is null order by seq`,
    )
    expect(rows.map(({ key }) => Number(key))).toEqual(
      Array.from({ length: ended.rows_read }, (_, i) => i + 1),
    )
    // Another consumer's path does not show it.
    expect(
      (await server.call('GET', `/v1/consumers/inventory/backfills/${body.data[0].id}`)).status,
    ).toBe(404)
  })

  test('of one table does not wait for that of a larger one', async ({ server, shop }) => {
    await shop.query(`${TABLES}; create table large (id int primary key, pad text);
      insert into large select i, repeat('x', 1000) from generate_series(1, 60000) i`)
    await server.connect(shop)
    await server.read()
    const large = await server.call('POST', '/v1/sources/shop/backfills', { table: 'public.large' })
    const small = await server.call('POST', '/v1/sources/shop/backfills', { table: 'public.other' })
    const stateOf = async ({ body }: Answer) =>
      (await server.call('GET', `/v1/sources/shop/backfills/${body.data[0].id}`)).body.state
    await until(async () => (await stateOf(small)) === 'done')
    expect(await stateOf(large)).toBe('running')
  })
})
