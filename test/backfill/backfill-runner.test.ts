import { describe, expect } from 'vitest'

import { makeSource, until } from '../capture/capture-harness.ts'
import { test } from '../support/database.ts'
import {
  applyEntries,
  captureWithBackfills,
  findBackfill,
  givenBackfill,
  readStored,
  untilEnded,
} from './harness.ts'

describe('a backfill', () => {
  test('brings the rows that exist, as the stream would have', async ({ storage, shop }) => {
    await shop.query(`
      create type mood as enum ('sad', 'happy');
      create table t (id bigint primary key, n numeric, s text, b boolean, at timestamptz, tags text[],
        doc jsonb, bin bytea, m mood, gone int, twice bigint generated always as (id * 2) stored, ip inet);
      alter table t drop column gone;
      insert into t (id, n, s, b, at, tags, doc, bin, m, ip)
        select i, i * 1.50, 'a "b" ' || i, i % 2 = 0, '2026-01-31 12:00+00', array['x', null],
          '{"a": 1.10}', '\\x00ff', 'happy', '10.0.0.1' from generate_series(1, 30) i`)
    const source = await makeSource(storage, shop)
    await using capture = captureWithBackfills(storage, source)

    const backfill = await untilEnded(storage, await givenBackfill(storage, source, { table: 't' }))
    const reads = await capture.waitFor(30)
    await shop.query('update t set n = n')
    const updates = (await capture.waitFor(60)).slice(30)

    expect(backfill).toMatchObject({
      state: 'done',
      rows_read: '30',
      rows_scanned: '30',
      error: null,
    })
    expect(reads.map(({ action }) => action)).toEqual(Array(30).fill('read'))
    // An update that changes nothing shows the row as the stream has it.
    expect(reads.map(({ key, record }) => [key, record])).toEqual(
      updates.map(({ key, record }) => [key, record]),
    )
    expect(reads[0]!.relation).toBe(updates[0]!.relation)
    expect(reads[0]!.recipientNo).toBeNull()
    expect(new Set(reads.map(({ commitLsn, commitIdx }) => `${commitLsn}-${commitIdx}`)).size).toBe(
      30,
    )
  })

  test.for([
    ['a composite key', 'a int, b text, v int, primary key (b, a)', `i % 7, 'k' || i, i`],
    ['a uuid', 'id uuid primary key, v int', `md5(i::text)::uuid, i`],
    ['negative numbers', 'id int primary key, v int', `(i - 1500) * 7, i`],
    [
      'a numeric key',
      'id numeric primary key, v int',
      `case i when 1 then 'NaN' else i / 7.0 end, i`,
    ],
    [
      'a key of doubles',
      'id float8 primary key, v int',
      `case i when 1 then '-Infinity' else i / 3.0 end, i`,
    ],
    [
      'text that sorts as people do',
      'id text collate "und-x-icu" primary key, v int',
      `(array['a','A','ä','b','B','-','_','z',' ','ß'])[1 + i % 10] || i, i`,
    ],
    [
      'text that sorts by bytes',
      'id text collate "C" primary key, v int',
      `chr(32 + i % 90) || i || '''\\', i`,
    ],
    [
      'text whose case does not matter',
      'id text collate nocase primary key, v int',
      `(array['a','B','c','D'])[1 + i % 4] || i, i`,
    ],
    [
      'times',
      'id timestamptz primary key, v int',
      `'2026-01-01'::timestamptz + i * interval '1 second 1 us', i`,
    ],
    [
      'an enum and bytes',
      'a mood, b bytea, v int, primary key (a, b)',
      `(array['x','a'])[1 + i % 2]::mood, int4send(i), i`,
    ],
    ['a domain', 'id positive primary key, v int', 'i, i'],
    ['quoted names', '"Id ""x""" int primary key, "select" int', 'i, i'],
  ])('goes through a table with %s once', async ([, columns, values], { storage, shop }) => {
    await shop.query(`
      create collation nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      create type mood as enum ('x', 'a'); create domain positive as int check (value > 0);
      create table "Ünï T" (${columns});
      insert into "Ünï T" select ${values} from generate_series(1, 3000) i`)
    const source = await makeSource(storage, shop)
    await using _capture = captureWithBackfills(storage, source)

    const backfill = await untilEnded(
      storage,
      await givenBackfill(storage, source, { table: 'Ünï T' }),
    )

    expect(backfill).toMatchObject({ state: 'done', rows_read: '3000', error: null })
    const entries = await readStored(storage, source)
    expect(entries.length).toBe(3000)
    expect(applyEntries(entries).size).toBe(3000)
  })

  test('begins with a key, and reads what a predicate lets pass', async ({ storage, shop }) => {
    await shop.query(`create table t (a int, b text, v int, primary key (a, b));
      insert into t select i / 10, chr(97 + i % 10), i from generate_series(0, 2999) i`)
    const source = await makeSource(storage, shop)
    await using _capture = captureWithBackfills(storage, source)

    const backfill = await untilEnded(
      storage,
      await givenBackfill(storage, source, {
        table: 't',
        fromKey: ['200', 'c'],
        predicate: 't.v % 100 = 5 -- the fives',
      }),
    )

    expect(backfill).toMatchObject({ state: 'done', rows_read: '10', rows_scanned: '998' })
    const records = (await readStored(storage, source)).map(({ record }) => JSON.parse(record).v)
    expect(records).toEqual([2005, 2105, 2205, 2305, 2405, 2505, 2605, 2705, 2805, 2905])
  })

  test('reads the rows that the publication lets pass, and of those what a predicate does', async ({
    storage,
    shop,
  }) => {
    await shop.query(`create table t (id int primary key);
      insert into t select i from generate_series(1, 1200) i`)
    const source = await makeSource(storage, shop)
    await shop.query(`drop publication "${source.publication}";
      create publication "${source.publication}" for table t where (id % 2 = 0)`)
    await using _capture = captureWithBackfills(storage, source)

    const backfill = await untilEnded(
      storage,
      await givenBackfill(storage, source, { table: 't', predicate: 'id % 100 < 5' }),
    )

    expect(backfill).toMatchObject({ state: 'done', rows_read: '36', rows_scanned: '1200' })
    const ids = (await readStored(storage, source)).map(({ record }) => JSON.parse(record).id)
    const wanted = Array.from({ length: 1200 }, (_, index) => index + 1)
    expect(ids).toEqual(wanted.filter((id) => id % 2 === 0 && id % 100 < 5))
  })

  test('of a partitioned table reads its root', async ({ storage, shop }) => {
    await shop.query(`create table t (id int, day date, primary key (id, day)) partition by list (day);
      create table t1 partition of t for values in ('2026-01-01');
      create table t2 partition of t for values in ('2026-01-02');
      insert into t select i, '2026-01-01'::date + i % 2 from generate_series(1, 1200) i`)
    const source = await makeSource(storage, shop)
    await using capture = captureWithBackfills(storage, source)
    await untilEnded(storage, await givenBackfill(storage, source, { table: 't' }))
    const entries = await capture.waitFor(1200)
    expect(new Set(entries.map(({ relation }) => relation.table))).toEqual(new Set(['t']))
    expect(entries.map(({ record }) => JSON.parse(record).id)).toEqual(
      Array.from({ length: 1200 }, (_, index) => index + 1),
    )
  })

  test('reads a table without a key by place, and rows that are moved meanwhile come as changes', async ({
    storage,
    shop,
  }) => {
    await shop.query(`create table t (v int, pad text) with (autovacuum_enabled = off);
      alter table t replica identity full;
      insert into t select i, repeat('x', 500) from generate_series(1, 5000) i; delete from t where v % 3 = 0`)
    const source = await makeSource(storage, shop)
    await using _capture = captureWithBackfills(storage, source)
    const backfill = await untilEnded(storage, await givenBackfill(storage, source, { table: 't' }))
    expect(backfill).toMatchObject({ state: 'done', rows_read: '3334' })
    const seen = (await readStored(storage, source)).map(
      ({ record }) => JSON.parse(record).v as number,
    )
    expect(seen).toEqual(Array.from({ length: 5000 }, (_, i) => i + 1).filter((v) => v % 3 !== 0))
  })

  test('fails with the reason, and does not stop another one', async ({ storage, shop }) => {
    await shop.query(`create table t (id int primary key); insert into t values (1);
      create table parts (id int) partition by list (id)`)
    const source = await makeSource(storage, shop)
    await using capture = captureWithBackfills(storage, source)
    const bad = [
      await givenBackfill(storage, source, { table: 'nowhere' }),
      await givenBackfill(storage, source, { table: 'parts' }),
      await givenBackfill(storage, source, { table: 't', predicate: 'id = no_such_column' }),
    ]
    const ended = []
    for (const no of bad) ended.push(await untilEnded(storage, no))
    await untilEnded(storage, await givenBackfill(storage, source, { table: 't' }))

    expect(ended.map(({ state, error }) => [state, error])).toEqual([
      ['failed', 'the table "public.nowhere" is not in the publication'],
      ['failed', expect.stringContaining('no primary key')],
      ['failed', expect.stringContaining('no_such_column')],
    ])
    expect((await capture.waitFor(1))[0]).toMatchObject({ action: 'read', key: '1' })
    expect(capture.reader.state).toBe('healthy')
  })

  test('bounds its pages by bytes, and large rows still come', async ({ storage, shop }) => {
    await shop.query(`create table t (id int primary key, big text);
      alter table t alter column big set storage external;
      insert into t select i, repeat('x', case when i % 10 = 0 then 3000000 else 100 end)
      from generate_series(1, 60) i`)
    const source = await makeSource(storage, shop)
    await using capture = captureWithBackfills(storage, source)
    await untilEnded(storage, await givenBackfill(storage, source, { table: 't' }))
    const entries = await capture.waitFor(60)
    expect(entries.map(({ key }) => Number(key))).toEqual(
      Array.from({ length: 60 }, (_, i) => i + 1),
    )
    const pages = new Map<string, number>()
    for (const { commitLsn, size } of entries)
      pages.set(commitLsn, (pages.get(commitLsn) ?? 0) + size)
    expect(Math.max(...pages.values())).toBeLessThan(3_200_000)
  })
})

describe('a table without a key', () => {
  test('that changes meanwhile shows no row older than before', async ({ storage, shop }) => {
    await shop.query(`create table t (name int, version int, pad text);
      alter table t replica identity full;
      insert into t select i, 1, repeat('x', 300) from generate_series(1, 3000) i`)
    const source = await makeSource(storage, shop)
    await using capture = captureWithBackfills(storage, source)
    const no = await givenBackfill(storage, source, { table: 't' })
    let changes = 0
    let scanned = -1
    await until(async () => {
      const { rows_scanned, finished_at } = await findBackfill(storage, no)
      // Not faster than it is read, or it gives up, and rightly.
      if (Number(rows_scanned) > scanned) {
        scanned = Number(rows_scanned)
        await shop.query('update t set version = version + 1 where name = $1', [
          1 + ((changes * 97) % 3000),
        ])
        changes += 1
      }
      return finished_at !== null
    })
    expect(await findBackfill(storage, no)).toMatchObject({ state: 'done', error: null })
    await shop.query('insert into t values (0, 1, null)')
    await until(() => capture.entries.at(-1)?.record.startsWith('{"name":0,') ?? false)

    const held = new Map<number, number>()
    for (const { record } of capture.entries) {
      const { name, version } = JSON.parse(record) as { name: number; version: number }
      expect(version).toBeGreaterThanOrEqual(held.get(name) ?? 0)
      held.set(name, version)
    }
    const { rows } = await shop.query<{ name: number; version: number }>(
      'select name, version from t',
    )
    expect(held).toEqual(new Map(rows.map(({ name, version }) => [name, version])))
    expect(changes).toBeGreaterThan(1)
  })

  test('that is rewritten meanwhile is read from the beginning', async ({ storage, shop }) => {
    await shop.query(`create table t (v int, pad text); alter table t replica identity full;
      insert into t select i, repeat('x', 500) from generate_series(1, 60000) i; delete from t where v % 2 = 0`)
    const source = await makeSource(storage, shop)
    await using _capture = captureWithBackfills(storage, source)
    const no = await givenBackfill(storage, source, { table: 't' })
    await until(async () => Number((await findBackfill(storage, no)).rows_read) > 0)
    await shop.query('vacuum full t')
    expect((await untilEnded(storage, no)).state).toBe('done')
    const seen = new Set(
      (await readStored(storage, source)).map(({ record }) => JSON.parse(record).v),
    )
    expect(seen.size).toBe(30_000)
  })
})
