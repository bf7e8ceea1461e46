import pg from 'pg'
import { describe, expect } from 'vitest'

import { describeTable } from '../../src/backfill/describe-table.ts'
import { readPage } from '../../src/backfill/read-page.ts'
import { TypeCatalogue } from '../../src/capture/pgoutput/type-catalogue.ts'
import { planRows } from '../../src/capture/pgoutput/row-plan.ts'
import { readTypes } from '../../src/capture/read-catalogue.ts'
import { makeSource, until } from '../capture/capture-harness.ts'
import { test } from '../support/database.ts'
import {
  captureWithBackfills,
  findBackfill,
  givenBackfill,
  readStored,
  untilEnded,
} from './harness.ts'

describe('a table that changes its shape during a backfill', () => {
  test.for([
    ['gets a column', 'alter table t add c int default 7'],
    ['loses a column', 'alter table t drop v'],
    ['has a column of another type', 'alter table t alter v type text'],
    ['has another key', 'alter table t drop constraint t_pkey, add primary key (v)'],
    [
      'is another table',
      'drop table t; create table t (id int primary key, v int); insert into t values (1, 10)',
    ],
  ] as const)('is not read as it was described: it %s', async ([, ddl], { shop }) => {
    await shop.query(`create table t (id int primary key, v int not null); create publication p for all tables;
      insert into t values (1, 10)`)
    const client = new pg.Client(shop.url)
    await client.connect()
    const name = { schema: 'public', table: 't' }
    const catalogue = new TypeCatalogue()
    const read = async () => {
      const table = await describeTable(client, 'p', name)
      const oids = table.message.columns.map(({ typeOid }) => typeOid)
      catalogue.add(oids, await readTypes(client, oids))
      const plan = planRows(table.message, catalogue, table.primaryKey)
      const choice = { predicate: null, fromKey: null, position: null }
      return () => readPage(client, 'p', table, plan, choice, 10)
    }
    const readOld = await read()
    expect((await readOld()).rows).toHaveLength(1)
    await shop.query(ddl)
    await expect(readOld()).rejects.toThrow('the table has changed')
    await client.query('rollback')
    const readNew = await read()
    expect((await readNew()).rows).toHaveLength(1)
    await client.end()
  })

  test('is read to its end, though columns come and go', async ({ storage, shop }) => {
    await shop.query(`create table t (id int primary key, v int);
      insert into t select i, i from generate_series(1, 20000) i`)
    const source = await makeSource(storage, shop)
    await using _capture = captureWithBackfills(storage, source)
    const no = await givenBackfill(storage, source, { table: 't' })
    let round = 0
    while ((await findBackfill(storage, no)).finished_at === null) {
      await shop.query(`alter table t add c${round} int`)
      await shop.query(`alter table t drop c${round}`)
      round += 1
    }
    expect(await findBackfill(storage, no)).toMatchObject({ state: 'done', error: null })
    const keys = new Set((await readStored(storage, source)).map(({ key }) => key))
    expect(keys.size).toBe(20_000)
    expect(round).toBeGreaterThan(1)
  })

  test('is read from the beginning by its new key', async ({ storage, shop }) => {
    await shop.query(`create table t (id int primary key, code int not null, pad text);
      insert into t select i, 30001 - i, repeat('x', 300) from generate_series(1, 30000) i`)
    const source = await makeSource(storage, shop)
    await using _capture = captureWithBackfills(storage, source)
    const no = await givenBackfill(storage, source, { table: 't' })
    await until(async () => Number((await findBackfill(storage, no)).rows_read) > 0)
    await shop.query('alter table t drop constraint t_pkey, add primary key (code)')
    expect((await untilEnded(storage, no)).state).toBe('done')
    const ids = new Set(
      (await readStored(storage, source)).map(({ record }) => JSON.parse(record).id),
    )
    expect(ids.size).toBe(30_000)
  })
})

test('under replica identity nothing a row has the key that its insert has', async ({
  storage,
  shop,
}) => {
  await shop.query(`create table t (id int primary key, v int);
    alter table t replica identity nothing; insert into t values (1, 1)`)
  const source = await makeSource(storage, shop)
  await shop.query(`alter publication "${source.publication}" set (publish = 'insert')`)
  await using capture = captureWithBackfills(storage, source)
  await untilEnded(storage, await givenBackfill(storage, source, { table: 't' }))
  await shop.query('insert into t values (2, 2)')
  const [read, insert] = await capture.waitFor(2)
  expect([read!.action, read!.key]).toEqual(['read', '1'])
  expect([insert!.action, insert!.key]).toEqual(['insert', '2'])
  expect(read!.relation).toBe(insert!.relation)
})

test('a role that may read columns only can still be given a backfill', async ({
  storage,
  shop,
}) => {
  const source = await makeSource(storage, shop)
  await shop.query(`create table t (id int primary key, v int); insert into t values (1, 1);
    create role "${source.name}" login replication password 'reader';
    grant select (id, v) on t to "${source.name}"`)
  const asRole = { ...source, user: source.name, password: 'reader' }
  {
    await using capture = captureWithBackfills(storage, asRole)
    const backfill = await untilEnded(storage, await givenBackfill(storage, source, { table: 't' }))
    expect(backfill).toMatchObject({ state: 'done', error: null, rows_read: '1' })
    await capture.waitFor(1)
  }
  await shop.query(`revoke all on t from "${source.name}"; drop role "${source.name}"`)
})
