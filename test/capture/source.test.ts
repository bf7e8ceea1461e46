import { randomBytes } from 'node:crypto'

import { describe, expect } from 'vitest'

import { acceptGap } from '../../src/capture/accept-gap.ts'
import { checkSource } from '../../src/capture/check-source.ts'
import { createSource } from '../../src/capture/create-source.ts'
import { deleteSource } from '../../src/capture/delete-source.ts'
import { listSourceTables } from '../../src/capture/list-source-tables.ts'
import { getSourceHealth } from '../../src/capture/source-health.ts'
import { findSource, listSources, readSourceSettings } from '../../src/capture/source.ts'
import { updateSource } from '../../src/capture/update-source.ts'
import { MillraceError } from '../../src/errors.ts'
import { runAdmin, test as base, uniqueName, urlOfDatabase } from '../support/database.ts'
import { Capture, connectionOf, ORDERS, until, type Shop } from './capture-harness.ts'

const keys = { secretKey: randomBytes(32) }
const PASSWORD = 'pass-word-of-the-source'

const test = base.extend<{ sourceName: string; role: string }>({
  sourceName: async ({}, use) => use(uniqueName('s')),
  /** A role that may replicate and owns nothing, with a password. */
  role: async ({}, use) => {
    const role = uniqueName('role')
    await runAdmin(`create role ${role} login replication password '${PASSWORD}'`)
    await use(role)
    await runAdmin(`drop owned by ${role}; drop role ${role}`)
  },
})

async function remains(shop: Shop, name: string) {
  const { rows } = await shop.query<{ slots: number; publications: number }>(
    `select (select count(*)::int from pg_replication_slots where slot_name = 'millrace_' || $1) as slots,
       (select count(*)::int from pg_publication where pubname = 'millrace_' || $1) as publications`,
    [name],
  )
  return rows[0]!
}

async function codeOf(promise: Promise<unknown>): Promise<MillraceError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(MillraceError)
  return error as MillraceError
}

describe('createSource', () => {
  test('makes publication, slot and log, and keeps the password sealed', async ({
    storage,
    shop,
    sourceName: name,
  }) => {
    await shop.query(ORDERS)
    const source = await createSource(
      storage,
      { name, connection: connectionOf(shop), tables: ['public.orders'], annotations: { a: 1 } },
      keys,
    )
    expect(source).toMatchObject({
      name,
      slot: `millrace_${name}`,
      publication: `millrace_${name}`,
      tables: ['public.orders'],
      phase: 'ready',
      madeSlot: true,
      madePublication: true,
      hasPassword: true,
      annotations: { a: 1 },
      state: 'starting',
    })
    expect(await remains(shop, name)).toEqual({ slots: 1, publications: 1 })
    expect(await listSources(storage.db)).toEqual([source])
    expect(await findSource(storage.db, source.id)).toEqual(source)
    const { rows } = await storage.pool.query('select * from millrace.source')
    expect(JSON.stringify(rows)).not.toContain(Buffer.from('postgres').toString('hex'))
    const settings = await readSourceSettings(storage.db, source.sourceNo, keys.secretKey)
    expect(settings?.password).toBe('postgres')

    await using capture = new Capture(storage, settings!)
    await shop.query('insert into orders default values')
    await capture.waitFor(1)
  })

  test('adopts a slot and a publication that exist, and leaves them when deleted', async ({
    storage,
    shop,
    sourceName: name,
  }) => {
    await shop.query(`${ORDERS}; create publication "millrace_${name}" for table orders`)
    await shop.query(`select pg_create_logical_replication_slot('millrace_${name}', 'pgoutput')`)
    const connection = connectionOf(shop)
    const source = await createSource(storage, { name, connection, create: false }, keys)
    expect(source).toMatchObject({ madeSlot: false, madePublication: false })
    await deleteSource(storage, name, { ...keys, dropSlot: false })
    expect(await remains(shop, name)).toEqual({ slots: 1, publications: 1 })
  })

  test('refuses what fails a check, names the SQL, and leaves nothing', async ({
    storage,
    shop,
    sourceName: name,
  }) => {
    await shop.query('create table bare (a int)')
    const connection = connectionOf(shop)
    const error = await codeOf(createSource(storage, { name, connection }, keys))
    expect(error.code).toBe('source_check_failed')
    expect(error.errors).toEqual([
      {
        pointer: '/tables',
        detail: expect.stringContaining('alter table public.bare replica identity full;') as string,
      },
    ])
    expect(await remains(shop, name)).toEqual({ slots: 0, publications: 0 })
    expect(await listSources(storage.db)).toEqual([])
  })

  test('leaves nothing when the slot cannot be made', async ({
    storage,
    shop,
    sourceName: name,
  }) => {
    await shop.query(ORDERS)
    const slot = 'NOT VALID'
    const connection = connectionOf(shop)
    await expect(createSource(storage, { name, connection, slot }, keys)).rejects.toThrow(
      /invalid character/,
    )
    expect(await remains(shop, name)).toEqual({ slots: 0, publications: 0 })
    expect(await listSources(storage.db)).toEqual([])
    const { rows } = await storage.pool.query(
      `select relname from pg_class where relname like 'log\\_%' and relkind in ('r', 'p')`,
    )
    expect(rows).toEqual([])
  })

  test('refuses a taken name, a slot in use, a missing key, and nobody at home', async ({
    storage,
    shop,
    sourceName: name,
  }) => {
    await shop.query(ORDERS)
    const connection = connectionOf(shop)
    await createSource(storage, { name, connection }, keys)
    expect((await codeOf(createSource(storage, { name, connection }, keys))).code).toBe(
      'name_taken',
    )
    const slot = `millrace_${name}`
    expect((await codeOf(createSource(storage, { name: 'b', connection, slot }, keys))).code).toBe(
      'slot_in_use',
    )
    const noKey = { secretKey: undefined }
    expect((await codeOf(createSource(storage, { name: 'b', connection }, noKey))).code).toBe(
      'secret_key_missing',
    )
    const dead = { ...connection, port: 1, password: PASSWORD }
    const error = await codeOf(createSource(storage, { name: 'b', connection: dead }, keys))
    expect(error.code).toBe('source_unreachable')
    expect(JSON.stringify(error) + error.message).not.toContain(PASSWORD)
    expect(await listSources(storage.db)).toHaveLength(1)
  })

  test('refuses a slot that somebody else reads', async ({ storage, shop, sourceName: name }) => {
    await shop.query(ORDERS)
    const connection = connectionOf(shop)
    const source = await createSource(storage, { name, connection }, keys)
    const settings = await readSourceSettings(storage.db, source.sourceNo, keys.secretKey)
    await using capture = new Capture(storage, settings!)
    await until(() => capture.reader.state === 'healthy')
    // As another storage sees it: there the slot belongs to no source.
    await storage.pool.query(`update millrace.source set host = 'elsewhere'`)
    const input = { name: 'b', connection, slot: source.slot, publication: source.publication }
    expect((await codeOf(createSource(storage, input, keys))).code).toBe('slot_in_use')
  })
})

describe('checkSource', () => {
  test('passes a database that is ready, and changes nothing', async ({
    shop,
    sourceName: name,
  }) => {
    await shop.query(ORDERS)
    const target = { slot: name, publication: name, tables: null, create: true }
    const checks = await checkSource(connectionOf(shop), target)
    expect(checks.map(({ name: check, status }) => `${check} ${status}`)).toEqual([
      'reachable pass',
      'pooler pass',
      'version pass',
      'wal_level pass',
      'replication_privilege pass',
      'slot pass',
      'idle_slot_timeout pass',
      // The tests' server has the settings that Postgres comes with.
      'slot_wal_limit warn',
      'catalog_xmin_age pass',
      'free_slots pass',
      'free_senders pass',
      'publication pass',
      'tables_covered pass',
      'replica_identity pass',
      'own_storage pass',
    ])
    const { rowCount } = await shop.query('select from pg_publication')
    expect(rowCount).toBe(0)
  })

  test('says what a role lacks, and what to run', async ({ shop, sourceName: name, role }) => {
    await shop.query(`${ORDERS}; create table "Odd one" (id int primary key)`)
    await runAdmin(`alter role ${role} noreplication`)
    const connection = { ...connectionOf(shop), user: role, password: PASSWORD }
    const tables = ['orders', 'public.Odd one', 'public.absent']
    const checks = await checkSource(connection, {
      slot: name,
      publication: name,
      tables,
      create: true,
    })
    const failed = checks.filter(({ status }) => status === 'fail')
    expect(failed.map(({ name: check }) => check)).toEqual([
      'replication_privilege',
      'publication',
      'tables_covered',
    ])
    expect(failed[0]!.sql).toBe(`alter role "${role}" replication;`)
    expect(failed[1]!.sql).toContain('"public"."orders", "public"."Odd one"')
    expect(failed[2]!.detail).toContain('absent')
  })

  test('warns of tables outside the publication, and of those that break updates', async ({
    shop,
    sourceName: name,
  }) => {
    await shop.query(`${ORDERS}; create table bare (a int); create table other (id int primary key);
      create publication "${name}" for table orders, bare`)
    const target = { slot: name, publication: name, tables: null, create: true }
    const checks = await checkSource(connectionOf(shop), target)
    expect(checks.filter(({ status }) => status !== 'pass')).toEqual([
      expect.objectContaining({ name: 'slot_wal_limit', status: 'warn' }),
      expect.objectContaining({ name: 'tables_covered', status: 'warn' }),
      expect.objectContaining({ name: 'replica_identity', status: 'warn' }),
    ])
  })

  test('refuses to capture all tables of the storage itself', async ({
    storage,
    sourceName: name,
  }) => {
    await storage.pool.query('create table public.mine (id int primary key)')
    const database = new URL(storage.url).pathname.slice(1)
    const connection = connectionOf({ url: urlOfDatabase(database) })
    const all = { slot: name, publication: name, tables: null, create: true }
    const refused = (await checkSource(connection, all)).find(({ status }) => status === 'fail')
    expect(refused?.name).toBe('own_storage')
    const some = await checkSource(connection, { ...all, tables: ['public.mine'] })
    expect(some.some(({ status }) => status === 'fail')).toBe(false)
  })
})

test('a source in the database of its storage does not capture itself', async ({
  storage,
  sourceName: name,
}) => {
  await storage.pool.query('create table public.mine (id int primary key)')
  const database = new URL(storage.url).pathname.slice(1)
  const connection = connectionOf({ url: urlOfDatabase(database) })
  const source = await createSource(storage, { name, connection, tables: ['public.mine'] }, keys)
  await storage.pool.query(`drop publication "millrace_${name}"`)
  await storage.pool.query(`create publication "millrace_${name}" for all tables`)
  const settings = await readSourceSettings(storage.db, source.sourceNo, keys.secretKey)
  {
    await using capture = new Capture(storage, settings!)
    await storage.pool.query('insert into public.mine values (1)')
    await capture.waitFor(1)
    await storage.pool.query('insert into public.mine values (2)')
    const entries = await capture.waitFor(2)
    expect(entries.map(({ relation, key }) => `${relation.table} ${key}`)).toEqual([
      'mine 1',
      'mine 2',
    ])
  }
  await deleteSource(storage, name, keys)
})

describe('deleteSource', () => {
  test('drops slot, publication and log, and is refused while there are consumers', async ({
    storage,
    shop,
    sourceName: name,
  }) => {
    await shop.query(ORDERS)
    const source = await createSource(storage, { name, connection: connectionOf(shop) }, keys)
    await storage.pool.query(
      `insert into millrace.consumer (name, source_no, tables, actions) values ('c', $1, '{*}', '{insert}')`,
      [source.sourceNo],
    )
    const error = await codeOf(deleteSource(storage, name, keys))
    expect(error).toMatchObject({
      code: 'source_in_use',
      message: expect.stringContaining('c') as string,
    })
    await storage.pool.query('delete from millrace.consumer')
    await deleteSource(storage, name, keys)
    expect(await remains(shop, name)).toEqual({ slots: 0, publications: 0 })
    expect(await findSource(storage.db, name)).toBeUndefined()
    expect((await codeOf(deleteSource(storage, name, keys))).code).toBe('not_found')
  })

  test('leaves the source as it was when the slot cannot be dropped', async ({
    storage,
    shop,
    sourceName: name,
  }) => {
    await shop.query(ORDERS)
    await createSource(storage, { name, connection: connectionOf(shop) }, keys)
    await storage.pool.query('update millrace.source set port = 1')
    expect((await codeOf(deleteSource(storage, name, keys))).code).toBe('source_unreachable')
    expect(await findSource(storage.db, name)).toMatchObject({ phase: 'ready' })
    await deleteSource(storage, name, { ...keys, dropSlot: false })
    expect(await listSources(storage.db)).toEqual([])
  })
})

test('updateSource checks the new settings, keeps the password, and counts up', async ({
  storage,
  shop,
  sourceName: name,
  role,
}) => {
  await shop.query(ORDERS)
  const source = await createSource(storage, { name, connection: connectionOf(shop) }, keys)
  const wrong = updateSource(storage, name, { connection: { password: 'no', user: role } }, keys)
  expect((await codeOf(wrong)).code).toBe('source_unreachable')
  const renamed = await updateSource(
    storage,
    name,
    { name: `${name}-2`, connection: { host: 'localhost' }, annotations: { b: 2 } },
    keys,
  )
  expect(renamed).toMatchObject({ id: source.id, host: 'localhost', annotations: { b: 2 } })
  expect(renamed.configVersion).toBe(source.configVersion + 1)
  const settings = await readSourceSettings(storage.db, source.sourceNo, keys.secretKey)
  expect(settings?.password).toBe('postgres')
  expect((await codeOf(updateSource(storage, 'absent', {}, keys))).code).toBe('not_found')
})

test('listSourceTables describes the tables, and the types of their columns', async ({
  storage,
  shop,
  sourceName: name,
}) => {
  await shop.query(`
    create type mood as enum ('happy', 'so so');
    create domain moods as mood[] not null;
    create type spot as (x numeric(6, -2), tags text[][]);
    create table t (b text, a int, primary key (a));
    create table u (x numeric(6,2) not null, m moods, s spot, twice int generated always as (1) stored)`)
  await createSource(storage, { name, connection: connectionOf(shop), tables: ['t'] }, keys)

  const { tables, types } = await listSourceTables(storage, name, keys)

  const column = { key: false, nullable: true, published: true, dimensions: 0 }
  expect(tables).toEqual([
    {
      schema: 'public',
      table: 't',
      captured: true,
      replicaIdentity: 'default',
      columns: [
        { ...column, name: 'b', type: 'text' },
        { ...column, name: 'a', type: 'integer', key: true, nullable: false },
      ],
      primaryKey: ['a'],
      estimatedRows: null,
    },
    {
      schema: 'public',
      table: 'u',
      captured: false,
      replicaIdentity: 'default',
      columns: [
        { ...column, name: 'x', type: 'numeric(6,2)', nullable: false },
        { ...column, name: 'm', type: 'moods', nullable: false },
        { ...column, name: 's', type: 'spot' },
        { ...column, name: 'twice', type: 'integer', published: false },
      ],
      primaryKey: [],
      estimatedRows: null,
    },
  ])
  const none = { json: null, precision: null, scale: null, labels: null, base: null, fields: null }
  const scalar = (type: string, json: string) => ({
    ...none,
    schema: 'pg_catalog',
    kind: 'scalar',
    type,
    json,
  })
  expect(types.map((type) => ({ ...type, name: undefined }))).toEqual(
    [
      scalar('integer', 'integer'),
      { ...none, schema: 'public', kind: 'enum', type: 'mood', labels: ['happy', 'so so'] },
      {
        ...none,
        schema: 'public',
        kind: 'array',
        type: 'mood[]',
        base: { type: 'mood', dimensions: 0 },
      },
      {
        ...none,
        schema: 'public',
        kind: 'domain',
        type: 'moods',
        base: { type: 'mood[]', dimensions: 1 },
      },
      { ...scalar('numeric(6,-2)', 'decimal'), precision: 6, scale: -2 },
      { ...scalar('numeric(6,2)', 'decimal'), precision: 6, scale: 2 },
      {
        ...none,
        schema: 'public',
        kind: 'composite',
        type: 'spot',
        fields: [
          { name: 'x', type: 'numeric(6,-2)', dimensions: 0 },
          { name: 'tags', type: 'text[]', dimensions: 2 },
        ],
      },
      scalar('text', 'string'),
      {
        ...none,
        schema: 'pg_catalog',
        kind: 'array',
        type: 'text[]',
        base: { type: 'text', dimensions: 0 },
      },
    ].map((type) => ({ ...type, name: undefined })),
  )
})

test('a gap that was accepted stays on record, and capturing goes on behind it', async ({
  storage,
  shop,
  sourceName: name,
}) => {
  await shop.query(ORDERS)
  const source = await createSource(storage, { name, connection: connectionOf(shop) }, keys)
  expect((await codeOf(acceptGap(storage, name, keys))).code).toBe('conflict')
  const settings = (await readSourceSettings(storage.db, source.sourceNo, keys.secretKey))!
  await shop.query(`select pg_drop_replication_slot($1)`, [source.slot])
  await shop.query('insert into orders default values')
  expect((await codeOf(acceptGap(storage, name, keys))).message).toContain('Make the slot')
  await shop.query(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [source.slot])

  await using capture = new Capture(storage, settings)
  await until(() => capture.reader.state === 'needs_attention')
  expect(await getSourceHealth(storage, name, keys)).toMatchObject({
    state: 'needs_attention',
    reason: expect.stringContaining('changes are missing') as string,
    slot: { active: false },
  })
  const gap = await acceptGap(storage, name, keys)
  await shop.query('insert into orders default values')
  const [entry] = await capture.waitFor(1)
  expect(entry).toMatchObject({ seq: 1, key: '2' })
  await until(async () => (await getSourceHealth(storage, name, keys)).state === 'healthy')
  const health = await getSourceHealth(storage, name, keys)
  expect(health).toMatchObject({
    reason: null,
    gaps: [gap],
    slot: { active: true, walStatus: 'reserved' },
  })
  expect(health.lastCommitAt).toBeInstanceOf(Date)
})

test('a password that does not open is said of its source', async ({
  storage,
  shop,
  sourceName: name,
}) => {
  await shop.query(ORDERS)
  await createSource(storage, { name, connection: connectionOf(shop) }, keys)
  const other = { secretKey: randomBytes(32) }
  expect((await codeOf(getSourceHealth(storage, name, other))).code).toBe('secret_key_missing')
})
