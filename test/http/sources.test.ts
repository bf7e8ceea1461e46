import { describe, expect } from 'vitest'

import { findFreePort } from '../support/postgres.ts'
import { test, type Api } from './api.ts'

interface Check {
  name: string
  status: string
  sql: string | null
}

const namesOf = (data: { name: string }[]): string[] => data.map(({ name }) => name)

async function connect(api: Api, shop: { url: string }, name = 'shop'): Promise<void> {
  const { status, body } = await api.call('PUT', `/v1/sources/${name}`, { url: shop.url })
  expect([status, body.code]).toEqual([201, undefined])
}

describe('a source', () => {
  test('is connected by a URL, and never shows its password', async ({ api, shop, storage }) => {
    await shop.query('create table orders (id int primary key)')

    const { status, body } = await api.call('POST', '/v1/sources', {
      name: 'shop',
      url: shop.url,
      tables: ['public.orders'],
    })

    expect(status).toBe(201)
    expect(body).toEqual({
      id: expect.any(String),
      name: 'shop',
      host: '127.0.0.1',
      port: expect.any(Number),
      database: shop.name,
      user: 'postgres',
      ssl: { mode: 'prefer' },
      slot: 'millrace_shop',
      publication: 'millrace_shop',
      tables: ['public.orders'],
      annotations: {},
      state: 'starting',
      state_reason: null,
      created_at: expect.any(String),
      updated_at: expect.any(String),
    })
    const { rows } = await storage.pool.query('select password_sealed from millrace.source')
    expect(rows[0].password_sealed.toString('latin1')).not.toContain('postgres')
    expect((await api.call('GET', '/v1/sources/shop')).body).toEqual(body)
    expect((await api.call('DELETE', '/v1/sources/shop')).status).toBe(204)
  })

  test('is connected by its parts, changed in one, and deleted', async ({ api, shop }) => {
    const url = new URL(shop.url)
    const parts = {
      host: url.hostname,
      port: Number(url.port),
      database: shop.name,
      user: 'postgres',
      password: 'postgres',
      slot: `slot_${shop.name}`,
    }
    const created = await api.call('PUT', '/v1/sources/shop', parts)
    const again = await api.call('PUT', '/v1/sources/shop', parts)
    const patched = await api.call('PATCH', '/v1/sources/shop', { annotations: { team: 'stock' } })
    const tables = await api.call('PATCH', '/v1/sources/shop', { tables: ['public.orders'] })
    const deleted = await api.call('DELETE', '/v1/sources/shop')

    expect([created.status, again.status, patched.status]).toEqual([201, 200, 200])
    expect(patched.body).toMatchObject({ annotations: { team: 'stock' }, user: 'postgres' })
    expect([tables.status, tables.body.errors[0].pointer]).toEqual([422, '/tables'])
    expect(deleted.status).toBe(204)
    expect((await api.call('GET', '/v1/sources/shop')).status).toBe(404)
    const { rows } = await shop.query('select from pg_replication_slots where database = $1', [
      shop.name,
    ])
    expect(rows).toHaveLength(0)
  })

  test('with consumers is not deleted', async ({ api, shop }) => {
    await connect(api, shop)
    await api.call('PUT', '/v1/consumers/inventory', { source: 'shop', tables: ['*'] })

    const refused = await api.call('DELETE', '/v1/sources/shop')
    await api.call('DELETE', '/v1/consumers/inventory')
    const deleted = await api.call('DELETE', '/v1/sources/shop?drop_slot=false')

    expect([refused.status, refused.body.code]).toEqual([409, 'source_in_use'])
    expect(deleted.status).toBe(204)
    const { rows } = await shop.query('select from pg_replication_slots where database = $1', [
      shop.name,
    ])
    expect(rows).toHaveLength(1)
  })

  test('lists its tables and tells how it is', async ({ api, shop }) => {
    await shop.query('create table orders (id int primary key, note text)')
    await connect(api, shop)

    const tables = await api.call('GET', '/v1/sources/shop/tables')
    const health = await api.call('GET', '/v1/sources/shop/health')

    expect(tables.body.data).toEqual([
      {
        schema: 'public',
        table: 'orders',
        captured: true,
        replica_identity: 'default',
        primary_key: ['id'],
        columns: [
          {
            name: 'id',
            type: 'integer',
            dimensions: 0,
            key: true,
            nullable: false,
            published: true,
          },
          {
            name: 'note',
            type: 'text',
            dimensions: 0,
            key: false,
            nullable: true,
            published: true,
          },
        ],
        estimated_rows: null,
      },
    ])
    expect(tables.body.types).toMatchObject([
      { type: 'integer', kind: 'scalar', json: 'integer' },
      { type: 'text', kind: 'scalar', json: 'string' },
    ])
    expect(health.body).toMatchObject({
      state: 'starting',
      gaps: [],
      undecodable: 0,
      slot: { active: false, lag_bytes: expect.any(Number), wal_status: 'reserved' },
    })
    await api.call('DELETE', '/v1/sources/shop')
  })

  test('is listed by name, in pages', async ({ api, shop }) => {
    await connect(api, shop, 'b')
    await connect(api, shop, 'a')

    const first = await api.call('GET', '/v1/sources?limit=1')
    const rest = await api.call('GET', `/v1/sources?limit=1&cursor=${first.body.next_cursor}`)

    expect([namesOf(first.body.data), namesOf(rest.body.data)]).toEqual([['a'], ['b']])
    expect(rest.body.next_cursor).toBeNull()
  })

  test('that does not answer is refused with a sentence that helps', async ({ api }) => {
    const port = await findFreePort()

    const { status, body } = await api.call('PUT', '/v1/sources/shop', {
      url: `postgres://me:hidden-password@127.0.0.1:${port}/shop`,
    })

    expect([status, body.code]).toEqual([422, 'source_unreachable'])
    expect(body.detail).toContain(`127.0.0.1:${port}`)
    expect(JSON.stringify(body)).not.toContain('hidden-password')
    expect((await api.call('GET', '/v1/sources')).body.data).toEqual([])
  })

  test.for([
    [{}, '/host'],
    [{ url: 'mysql://a@b/c' }, '/url'],
    [{ url: 'postgres://localhost/shop' }, '/url'],
    [{ url: 'postgres://a@b/c', host: 'b' }, '/host'],
    [{ host: 'a', database: 'b', user: 'c', port: 0 }, '/port'],
    [{ url: 'postgres://a@b/c', slot: 'Slot' }, '/slot'],
    [{ url: 'postgres://a@b/c', ssl: { mode: 'none' } }, '/ssl/mode'],
  ] as const)('is not connected with %j', async ([settings, pointer], { api }) => {
    const { status, body } = await api.call('PUT', '/v1/sources/shop', settings)

    expect([status, body.code, body.errors[0].pointer]).toEqual([422, 'validation_failed', pointer])
  })
})

describe('a test of a source', () => {
  test('names each check, and changes nothing', async ({ api, shop }) => {
    await shop.query('create table orders (id int primary key)')

    const { status, body } = await api.call('POST', '/v1/sources/test', { url: shop.url })

    expect([status, body.ok]).toEqual([200, true])
    expect(namesOf(body.checks)).toEqual(expect.arrayContaining(['reachable', 'wal_level', 'slot']))
    expect((await api.call('GET', '/v1/sources')).body.data).toEqual([])
    const { rows } = await shop.query('select from pg_publication')
    expect(rows).toHaveLength(0)
  })

  test('says what fails', async ({ api, shop }) => {
    const { body } = await api.call('POST', '/v1/sources/test', {
      url: shop.url,
      tables: ['public.missing'],
    })

    expect(body.ok).toBe(false)
    const failed = (body.checks as Check[]).filter((check) => check.status === 'fail')
    expect(failed.length).toBeGreaterThan(0)
  })

  test('of a connected source also says what its reader does, and the SQL mends it', async ({
    api,
    shop,
  }) => {
    await shop.query('create table orders (id int primary key)')
    await connect(api, shop)
    const find = async (name: string) => {
      const { body } = await api.call('GET', '/v1/sources/shop/checks')
      return [body.ok, (body.checks as Check[]).find((check) => check.name === name)] as const
    }
    const [ok, reader] = await find('reader')
    expect([ok, reader?.status]).toEqual([true, 'warn'])

    await shop.query('drop publication millrace_shop')
    const [broken, missing] = await find('publication')
    expect([broken, missing?.status]).toEqual([false, 'fail'])
    await shop.query(missing!.sql!)
    expect((await find('publication'))[0]).toBe(true)

    await api.call('DELETE', '/v1/sources/shop')
    expect((await api.call('GET', '/v1/sources/shop/checks')).status).toBe(404)
  })
})

describe('a test of the storage', () => {
  test('names each check', async ({ api }) => {
    const { status, body } = await api.call('GET', '/v1/storage/checks')

    expect([status, body.ok]).toEqual([200, true])
    expect(namesOf(body.checks)).toEqual(expect.arrayContaining(['reachable', 'migrations']))
  })
})

describe('changes that are lost', () => {
  test('are given up when somebody says so, and stay on record', async ({ api, shop }) => {
    await shop.query('create table orders (id int primary key)')
    await connect(api, shop)
    const accept = () => api.call('POST', '/v1/sources/shop/accept-gap')

    const nothing = await accept()
    expect([nothing.status, nothing.body.code]).toEqual([409, 'conflict'])
    expect((await api.call('GET', '/v1/sources/shop/health')).body.gaps).toEqual([])

    await shop.query(`select pg_drop_replication_slot('millrace_shop')`)
    const noSlot = await accept()
    expect([noSlot.status, noSlot.body.detail]).toEqual([
      409,
      'Make the slot "millrace_shop" first.',
    ])
    await shop.query('insert into orders values (1)')
    await shop.query(`select pg_create_logical_replication_slot('millrace_shop', 'pgoutput')`)

    const { status, body } = await accept()
    expect([status, body.accepted]).toEqual([200, true])
    expect(body.from).not.toBe(body.to)
    expect((await api.call('GET', '/v1/sources/shop/health')).body.gaps).toEqual([body])
    expect((await accept()).status).toBe(409)

    await api.call('DELETE', '/v1/sources/shop')
  })

  test('of a source that is unknown are none', async ({ api }) => {
    expect((await api.call('POST', '/v1/sources/nobody/accept-gap')).status).toBe(404)
  })
})
