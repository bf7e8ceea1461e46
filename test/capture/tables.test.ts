import { randomBytes } from 'node:crypto'

import { describe, expect } from 'vitest'

import { checkSource } from '../../src/capture/check-source.ts'
import { createSource } from '../../src/capture/create-source.ts'
import { readSourceSettings } from '../../src/capture/source.ts'
import type { LogEntry } from '../../src/log/entry.ts'
import type { Database } from '../../src/storage/database.ts'
import { test, uniqueName } from '../support/database.ts'
import { givenConsumer } from '../support/given.ts'
import { startProcess } from '../support/queues.ts'
import { Capture, connectionOf, makeSource, ORDERS, type Shop } from './capture-harness.ts'

const keys = { secretKey: randomBytes(32) }

/** A source as the program makes it, with a publication of its own. */
async function createRealSource(storage: Database, shop: Shop, tables?: string[]) {
  const input = { name: uniqueName('s'), connection: connectionOf(shop), ...(tables && { tables }) }
  const { sourceNo } = await createSource(storage, input, keys)
  return (await readSourceSettings(storage.db, sourceNo, keys.secretKey))!
}

async function readVersion(shop: Shop): Promise<number> {
  const { rows } = await shop.query<{ version: number }>(
    `select current_setting('server_version_num')::int / 10000 as version`,
  )
  return rows[0]!.version
}

const named = ({ action, relation, key, record }: LogEntry) =>
  `${action} ${relation.schema}.${relation.table} ${key} ${record}`

describe('a partitioned table', () => {
  const TREE = `
    create table p (id int, region text, x text, primary key (id, region)) partition by list (region);
    create table p_north partition of p for values in ('n') partition by range (id);
    create table p_north_0 partition of p_north for values from (0) to (10);
    create table p_south (x text, region text not null, id int not null);
    alter table p attach partition p_south for values in ('s')`

  test('goes by its root, however deep, and however its partitions order their columns', async ({
    storage,
    shop,
  }) => {
    await shop.query(TREE)
    await using capture = new Capture(storage, await createRealSource(storage, shop, ['public.p']))
    await shop.query(`insert into p values (1, 'n', 'deep'), (2, 's', 'turned')`)
    // A partition that is written to directly, and one that comes later.
    await shop.query(`insert into p_south values ('direct', 's', 3)`)
    await shop.query(`create table p_east partition of p for values in ('e')`)
    await shop.query(`insert into p values (4, 'e', 'late')`)
    // From one partition to another: Postgres makes two changes of it.
    await shop.query(`update p set region = 's' where id = 1`)
    await shop.query('truncate p')
    const entries = await capture.waitFor(7)
    expect(entries.map(named)).toEqual([
      'insert public.p 1,"n" {"id":1,"region":"n","x":"deep"}',
      'insert public.p 2,"s" {"id":2,"region":"s","x":"turned"}',
      'insert public.p 3,"s" {"id":3,"region":"s","x":"direct"}',
      'insert public.p 4,"e" {"id":4,"region":"e","x":"late"}',
      'delete public.p 1,"n" {"id":1,"region":"n"}',
      'insert public.p 1,"s" {"id":1,"region":"s","x":"deep"}',
      'truncate public.p null {}',
    ])
    expect(new Set(entries.map(({ relation }) => relation.relationNo)).size).toBe(1)
  })

  test('whose publication names the partitions is warned of', async ({ shop }) => {
    const name = uniqueName('s')
    await shop.query(`${TREE}; create publication "${name}" for table p`)
    const target = { slot: name, publication: name, tables: ['public.p'], create: true }
    const look = async () =>
      (await checkSource(connectionOf(shop), target)).find(
        ({ name: check }) => check === 'tables_covered',
      )!
    const warned = await look()
    expect(warned).toEqual({
      name: 'tables_covered',
      status: 'warn',
      detail: 'changes of public.p come under the names of the partitions',
      sql: `alter publication "${name}" set (publish_via_partition_root = true);`,
    })
    await shop.query(warned.sql!)
    expect((await look()).status).toBe('pass')
  })
})

describe('replica identity', () => {
  test('default gives the primary key of an old row', async ({ storage, shop }) => {
    await shop.query('create table t (x text, id int primary key)')
    await using capture = new Capture(storage, await createRealSource(storage, shop))
    await shop.query(`insert into t values ('a', 1); update t set x = 'b'; delete from t`)
    expect(
      (await capture.waitFor(3)).map(({ key, record, changes }) => [key, record, changes]),
    ).toEqual([
      ['1', '{"x":"a","id":1}', null],
      ['1', '{"x":"b","id":1}', '{}'],
      ['1', '{"id":1}', null],
    ])
  })

  test('full gives the whole old row, keyed by the primary key', async ({ storage, shop }) => {
    await shop.query(
      `create table t (x text, id int primary key); alter table t replica identity full`,
    )
    await using capture = new Capture(storage, await createRealSource(storage, shop))
    await shop.query(`insert into t values ('a', 1); update t set x = 'b'; delete from t`)
    expect(
      (await capture.waitFor(3)).map(({ key, record, changes }) => [key, record, changes]),
    ).toEqual([
      ['1', '{"x":"a","id":1}', null],
      ['1', '{"x":"b","id":1}', '{"x":"a"}'],
      ['1', '{"x":"b","id":1}', null],
    ])
  })

  test('by an index is the key, in place of the primary key', async ({ storage, shop }) => {
    await shop.query(`create table t (id int primary key, code text not null, x int);
      create unique index t_code on t (code); alter table t replica identity using index t_code`)
    await using capture = new Capture(storage, await createRealSource(storage, shop))
    await shop.query(`insert into t values (1, 'a', 1); update t set x = 2;
      update t set code = 'b'; delete from t`)
    const entries = await capture.waitFor(4)
    expect(entries.map(({ key, oldKey, record }) => [key, oldKey, record])).toEqual([
      ['"a"', null, '{"id":1,"code":"a","x":1}'],
      ['"a"', null, '{"id":1,"code":"a","x":2}'],
      ['"b"', '"a"', '{"id":1,"code":"b","x":2}'],
      ['"b"', null, '{"code":"b"}'],
    ])
  })

  test('nothing leaves inserts, keyed by the primary key', async ({ storage, shop }) => {
    const name = uniqueName('s')
    await shop.query(`create table t (id int primary key, x int); alter table t replica identity nothing;
      create publication "millrace_${name}" for table t with (publish = 'insert')`)
    const input = { name, connection: connectionOf(shop), tables: ['public.t'] }
    const { sourceNo } = await createSource(storage, input, keys)
    const settings = (await readSourceSettings(storage.db, sourceNo, keys.secretKey))!
    await using capture = new Capture(storage, settings)
    await shop.query('insert into t values (1, 1); update t set x = 2; insert into t values (2, 2)')
    expect((await capture.waitFor(2)).map(named)).toEqual([
      'insert public.t 1 {"id":1,"x":1}',
      'insert public.t 2 {"id":2,"x":2}',
    ])
  })

  test('may change while it streams', async ({ storage, shop }) => {
    await shop.query(`create table t (id int primary key, x int)`)
    await using capture = new Capture(storage, await createRealSource(storage, shop))
    await shop.query(`insert into t values (1, 1); update t set x = 2`)
    await shop.query(`alter table t replica identity full; update t set x = 3`)
    await shop.query(`alter table t replica identity default; update t set x = 4`)
    const entries = await capture.waitFor(4)
    expect(entries.map(({ key, changes }) => [key, changes])).toEqual([
      ['1', null],
      ['1', '{}'],
      ['1', '{"x":2}'],
      ['1', '{}'],
    ])
  })
})

test('a table without a primary key has changes without a key', async ({ storage, shop }) => {
  await shop.query(`create table t (x int); alter table t replica identity full`)
  await using capture = new Capture(storage, await createRealSource(storage, shop))
  await shop.query('insert into t values (1), (1); update t set x = 2; delete from t')
  const entries = await capture.waitFor(6)
  expect(entries.map(({ action, key, changes }) => [action, key, changes])).toEqual([
    ['insert', null, null],
    ['insert', null, null],
    ['update', null, '{"x":1}'],
    ['update', null, '{"x":1}'],
    ['delete', null, null],
    ['delete', null, null],
  ])
})

test('identity and generated columns come as Postgres publishes them', async ({
  storage,
  shop,
}) => {
  const version = await readVersion(shop)
  await shop.query(`create table t (
    id int generated always as identity primary key, s serial,
    x int, twice int generated always as (x * 2) stored
    ${version >= 18 ? ', thrice int generated always as (x * 3) virtual' : ''})`)
  await using capture = new Capture(storage, await createRealSource(storage, shop))
  await shop.query('insert into t (x) values (21)')
  await shop.query('update t set x = 4')
  const [insert, update] = await capture.waitFor(2)
  expect(insert!.record).toBe(
    version >= 18 ? '{"id":1,"s":1,"x":21,"twice":42}' : '{"id":1,"s":1,"x":21}',
  )
  expect(update!.record).toBe(
    version >= 18 ? '{"id":1,"s":1,"x":4,"twice":8}' : '{"id":1,"s":1,"x":4}',
  )
})

describe('what changes in the middle of the stream', () => {
  test('leaves older changes as they were, though they are read afterwards', async ({
    storage,
    shop,
  }) => {
    await shop.query('create table t (id int primary key, a int, b text)')
    const source = await createRealSource(storage, shop)
    await shop.query(`insert into t values (1, 1, 'one')`)
    await shop.query('alter table t drop column b')
    await shop.query('insert into t values (2, 2)')
    await shop.query('alter table t add column b numeric default 1.50')
    await shop.query('insert into t values (3, 3, 3.0)')
    await shop.query('alter table t alter column a type text using a::text')
    await shop.query(`insert into t values (4, '4', 4)`)
    await shop.query('drop table t')
    await shop.query('create table t (id text primary key)')
    await shop.query(`insert into t values ('five')`)
    await using capture = new Capture(storage, source)
    const entries = await capture.waitFor(5)
    expect(entries.map(({ record }) => record)).toEqual([
      '{"id":1,"a":1,"b":"one"}',
      '{"id":2,"a":2}',
      '{"id":3,"a":3,"b":3.0}',
      '{"id":4,"a":"4","b":4}',
      '{"id":"five"}',
    ])
    expect(entries.map(({ relation }) => relation.relationNo)).toEqual([1, 2, 3, 4, 5])
    expect(entries[0]!.relation.columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'id integer',
      'a integer',
      'b text',
    ])
  })

  test('may be the name of a table, of its schema, or both', async ({ storage, shop }) => {
    await shop.query('create schema a; create table a.t (id int primary key)')
    await using capture = new Capture(storage, await createRealSource(storage, shop))
    await shop.query('insert into a.t values (1)')
    await shop.query('alter table a.t rename to u')
    await shop.query('insert into a.u values (2)')
    await shop.query('alter schema a rename to b')
    await shop.query('insert into b.u values (3)')
    await shop.query('create schema c; alter table b.u set schema c')
    await shop.query('insert into c.u values (4)')
    await shop.query('alter table c.u rename column id to number')
    await shop.query('insert into c.u values (5)')
    expect((await capture.waitFor(5)).map(named)).toEqual([
      'insert a.t 1 {"id":1}',
      'insert a.u 2 {"id":2}',
      // Before Postgres 16 its decoder does not notice.
      `insert ${(await readVersion(shop)) >= 16 ? 'b' : 'a'}.u 3 {"id":3}`,
      'insert c.u 4 {"id":4}',
      'insert c.u 5 {"number":5}',
    ])
  })

  test('may be the primary key', async ({ storage, shop }) => {
    await shop.query('create table t (id int primary key, code text not null)')
    await using capture = new Capture(storage, await createRealSource(storage, shop))
    await shop.query(`insert into t values (1, 'a'); update t set id = 2`)
    await shop.query('alter table t drop constraint t_pkey, add primary key (code, id)')
    await shop.query(`update t set code = 'b'`)
    const entries = await capture.waitFor(3)
    expect(entries.map(({ key, oldKey, changes }) => [key, oldKey, changes])).toEqual([
      ['1', null, null],
      ['2', '1', '{"id":1}'],
      ['2,"b"', '2,"a"', '{"code":"a"}'],
    ])
  })
})

test('names may hold anything that Postgres lets them', async ({ storage, shop }) => {
  const names = ['Select', 'with "quotes"', 'Zürich 漢字 😀', "it's; -- {x}", 'a\\b']
  for (const name of names) {
    const quoted = `"${name.replaceAll('"', '""')}"`
    await shop.query(`create schema ${quoted};
      create table ${quoted}.${quoted} (${quoted} int primary key, "a,b" text)`)
  }
  const tables = names.map((name) => `${name}.${name}`)
  await using capture = new Capture(storage, await createRealSource(storage, shop, tables))
  for (const [index, name] of names.entries()) {
    const quoted = `"${name.replaceAll('"', '""')}"`
    await shop.query(`insert into ${quoted}.${quoted} values (${index}, 'ü')`)
  }
  const entries = await capture.waitFor(names.length)
  for (const [index, name] of names.entries()) {
    expect(entries[index]).toMatchObject({
      relation: { schema: name, table: name, keyColumns: [name] },
      record: JSON.stringify({ [name]: index, 'a,b': 'ü' }),
    })
    expect(entries[index]!.size).toBeGreaterThanOrEqual(Buffer.byteLength(entries[index]!.record))
  }
})

describe('a table that comes later', () => {
  test('is captured from where it was added to the publication', async ({ storage, shop }) => {
    await shop.query(`${ORDERS}; create table later (id int primary key)`)
    const source = await createRealSource(storage, shop, ['public.orders'])
    await using capture = new Capture(storage, source)
    await shop.query('insert into later values (1); insert into orders default values')
    await capture.waitFor(1)
    await shop.query(`alter publication "${source.publication}" add table later`)
    await shop.query('insert into later values (2)')
    await capture.waitFor(2)
    await shop.query(`alter publication "${source.publication}" drop table later`)
    await shop.query('insert into later values (3); insert into orders default values')
    const entries = await capture.waitFor(3)
    expect(entries.map(({ relation, key }) => `${relation.table} ${key}`)).toEqual([
      'orders 1',
      'later 2',
      'orders 2',
    ])
  })

  test('is captured at once by a publication of all tables, or of its schema', async ({
    storage,
    shop,
  }) => {
    const all = await createRealSource(storage, shop)
    await using capture = new Capture(storage, all)
    await shop.query('create table t (id int primary key); insert into t values (1)')
    await shop.query('create schema s; create table s.t (id int primary key)')
    await shop.query('insert into s.t values (2)')
    expect((await capture.waitFor(2)).map(named)).toEqual([
      'insert public.t 1 {"id":1}',
      'insert s.t 2 {"id":2}',
    ])
    if ((await readVersion(shop)) < 15) return
    const name = uniqueName('s')
    await shop.query(`create publication "millrace_${name}" for tables in schema s`)
    const { sourceNo } = await createSource(
      storage,
      { name, connection: connectionOf(shop), create: true },
      keys,
    )
    const settings = (await readSourceSettings(storage.db, sourceNo, keys.secretKey))!
    await using ofSchema = new Capture(storage, settings)
    await shop.query('create table s.u (id int primary key)')
    await shop.query('insert into t values (3); insert into s.u values (4)')
    expect((await ofSchema.waitFor(1)).map(named)).toEqual(['insert s.u 4 {"id":4}'])
  })
})

test('a truncate goes to a consumer that asks for it, and to no other', async ({
  storage,
  shop,
}) => {
  await shop.query(`create table a (id int primary key);
    create table b (id int primary key references a); create table c (id int primary key)`)
  const source = await makeSource(storage, shop)
  const usual = await givenConsumer(storage, source.sourceNo, { name: 'usual' })
  const eager = await givenConsumer(storage, source.sourceNo, {
    name: 'eager',
    actions: ['insert', 'truncate'],
    tables: ['public.a', 'public.b'],
  })
  await using capture = new Capture(storage, source)
  await shop.query('insert into a values (1); truncate a cascade; truncate c restart identity')
  await capture.waitFor(4)
  const server = await startProcess(storage)
  try {
    const read = async (consumer: typeof usual) => {
      const { messages } = await server.receive(consumer)
      return messages.map((message) => JSON.parse(message.toJson()) as object)
    }
    expect(await read(usual)).toMatchObject([{ action: 'insert' }])
    expect(await read(eager)).toMatchObject([
      { action: 'insert' },
      { action: 'truncate', record: {}, changes: null, metadata: { table_name: 'a' } },
      { action: 'truncate', record: {}, changes: null, metadata: { table_name: 'b' } },
    ])
  } finally {
    await server.stop()
  }
})

test('annotations of a transaction reach whoever receives its changes', async ({
  storage,
  shop,
}) => {
  await shop.query(ORDERS)
  const source = await makeSource(storage, shop)
  const consumer = await givenConsumer(storage, source.sourceNo)
  await using capture = new Capture(storage, source)
  const annotate = (json: string, transactional = true) =>
    `select pg_logical_emit_message(${transactional}, 'millrace.annotate', '${json}')`
  await shop.query(`begin; ${annotate('{"trace_id": "4bf92f35", "by": 7}')};
    savepoint s; ${annotate('{"lost": true}')}; rollback to s;
    ${annotate('{"at_once": true}', false)};
    insert into orders (id) values (1); ${annotate('{"by": {"id": 8}}')}; delete from orders; commit`)
  await shop.query('insert into orders (id) values (2)')
  await shop.query(`begin; ${annotate(`{"long": "${'x'.repeat(20_000)}"}`)};
    insert into orders (id) values (3); commit`)
  await capture.waitFor(4)
  const server = await startProcess(storage)
  try {
    const { messages } = await server.receive(consumer)
    const annotations = messages.map((message) => {
      const { metadata } = JSON.parse(message.toJson()) as { metadata: Record<string, unknown> }
      return metadata['transaction_annotations']
    })
    expect(annotations).toEqual([
      { trace_id: '4bf92f35', by: 7 },
      { trace_id: '4bf92f35', by: { id: 8 } },
      undefined,
      undefined,
    ])
  } finally {
    await server.stop()
  }
})

test('an unchanged TOAST value is filled in from the old row, or named', async ({
  storage,
  shop,
}) => {
  const table = (name: string) => `
    create table ${name} (id int primary key, big text, bytes bytea, n int);
    alter table ${name} alter column big set storage external, alter column bytes set storage external`
  await shop.query(`${table('plain')}; ${table('whole')}; alter table whole replica identity full`)
  await using capture = new Capture(storage, await createRealSource(storage, shop))
  for (const name of ['plain', 'whole']) {
    await shop.query(`insert into ${name} values (1, repeat('ü', 5000), repeat('b', 5000)::bytea, 1);
      update ${name} set n = 2; update ${name} set big = 'small'`)
  }
  const entries = await capture.waitFor(6)
  const bytes = Buffer.from('b'.repeat(5000)).toString('base64')
  expect(entries.map(({ record, extra }) => [JSON.parse(record) as object, extra])).toEqual([
    [{ id: 1, big: 'ü'.repeat(5000), bytes, n: 1 }, null],
    [{ id: 1, n: 2 }, '"unchanged_columns":["big","bytes"]'],
    [{ id: 1, big: 'small', n: 2 }, '"unchanged_columns":["bytes"]'],
    [{ id: 1, big: 'ü'.repeat(5000), bytes, n: 1 }, null],
    [{ id: 1, big: 'ü'.repeat(5000), bytes, n: 2 }, null],
    [{ id: 1, big: 'small', bytes, n: 2 }, null],
  ])
  expect(JSON.parse(entries[5]!.changes!)).toEqual({ big: 'ü'.repeat(5000) })
})
