import pg from 'pg'
import { describe, expect } from 'vitest'

import { integerCodec, numberCodec, VALUE } from '../../src/capture/pgoutput/value-codec.ts'
import { BUILTIN_TYPES } from '../../src/capture/pgoutput/builtin-types.ts'
import type { Database } from '../../src/storage/database.ts'
import {
  dropDatabaseWithSlots,
  runAdmin,
  test,
  testSharing,
  uniqueName,
  urlOfDatabase,
} from '../support/database.ts'
import { Capture, makeSource, type Shop } from './capture-harness.ts'
import {
  countDocumentedRows,
  readDocumentedTypes,
  readTypeDefinitions,
  type DocumentedType,
} from './documented-types.ts'

const DOCUMENTED = readDocumentedTypes()

/** What the session must not depend on. */
const HOSTILE_SETTINGS = {
  datestyle: 'German',
  intervalstyle: 'sql_standard',
  bytea_output: 'escape',
  extra_float_digits: '-2',
  timezone: 'Asia/Kathmandu',
  statement_timeout: '2s',
  client_encoding: 'LATIN1',
  xmloption: 'document',
  quote_all_identifiers: 'on',
}

interface Arrived {
  /** The record's text, and what `to_json` gave for each documented row. */
  record: string
  toJson: readonly string[]
}

const testTypes = testSharing.extend<{ arrived: Arrived }>({
  arrived: [
    async ({ storage, shop }, use) => use(await captureDocumented(storage, shop)),
    { scope: 'file' },
  ],
})

/** One row with a column for each documented value, as it was captured. */
async function captureDocumented(storage: Database, shop: Shop): Promise<Arrived> {
  await shop.query(readTypeDefinitions())
  for (const [index, [name, value]] of Object.entries(HOSTILE_SETTINGS).entries()) {
    const whose = index % 2 === 0 ? 'database' : 'role current_user in database'
    await shop.query(`alter ${whose} ${shop.name} set ${name} = '${value}'`)
  }
  const columns = DOCUMENTED.map(({ type }, index) => `c${index} ${type}`)
  await shop.query(`create table t (${columns.join(', ')}, last boolean);
    alter table t replica identity full`)
  const source = await makeSource(storage, shop)
  await using capture = new Capture(storage, source)
  await shop.query(`set datestyle = 'ISO'; set timezone = 'UTC'; set extra_float_digits = 3`)
  await shop.query(`insert into t values (${DOCUMENTED.map(({ literal }) => literal).join(', ')})`)
  const { rows } = await shop.query<Record<string, string>>(
    `select ${DOCUMENTED.map((_, index) => `to_json(c${index})::text as c${index}`).join(', ')} from t`,
  )
  const [entry] = await capture.waitFor(1)
  expect(entry!.size).toBe(Buffer.byteLength(entry!.record))
  return { record: entry!.record, toJson: DOCUMENTED.map((_, index) => rows[0]![`c${index}`]!) }
}

/** Without the blanks between the parts of a JSON text. */
function compact(json: string): string {
  return json.replaceAll(/("(?:[^"\\]|\\.)*")|\s+/g, '$1')
}

describe('docs/types.md', () => {
  testTypes('has no row that is not tested', () => {
    expect(DOCUMENTED).toHaveLength(countDocumentedRows())
    expect(DOCUMENTED.length).toBeGreaterThan(100)
  })

  testTypes.for(DOCUMENTED.map((row, index) => ({ ...row, index })))(
    'is right about $type $literal',
    ({ index, json, toJson }: DocumentedType & { index: number }, { arrived }) => {
      expect(arrived.record).toContain(
        `"c${index}":${json},"${index + 1 === DOCUMENTED.length ? 'last' : `c${index + 1}`}":`,
      )
      expect(compact(arrived.toJson[index]!)).toBe(compact(toJson ?? json))
      JSON.parse(json)
    },
  )
})

describe('the codec', () => {
  test('has every built-in type that a table can have', async ({ shop }) => {
    const { rows } = await shop.query<{ oid: number; name: string }>(
      `select oid::int, typname as name from pg_type
       where typtype in ('b', 'r', 'm') and typnamespace = 'pg_catalog'::regnamespace
         and typname !~ '^_?pg_' and typelem = 0 order by 1`,
    )
    const missing = rows.filter(({ oid }) => !BUILTIN_TYPES.has(oid)).map(({ name }) => name)
    // Of the server's own use: text, looked up like any other.
    expect(missing).toEqual(['gtsvector'])
  })

  test('refuses a number that is none', () => {
    for (const text of ['', ' 1', '01', '1e', '0x1', '1,5', '+1', '.5', '5.', 'nan', 'null']) {
      expect(() => integerCodec.encode(text)).toThrow('not an integer')
      expect(() => numberCodec.encode(text)).toThrow('not a number')
    }
    expect(integerCodec.kind).toBe(VALUE.integer)
  })
})

describe('a source in', () => {
  test.for([
    ['LATIN1', 'Grüße, naïve'],
    ['EUC_JP', '漢字 テスト'],
    ['EUC_KR', '한글'],
    ['WIN1251', 'Привет'],
    ['SQL_ASCII', 'Grüße 漢字'],
  ] as const)('%s gives the same records', async ([encoding, text], { storage }) => {
    const name = uniqueName('shop')
    await runAdmin(`create database ${name} encoding '${encoding}' template template0 locale 'C'`)
    const client = new pg.Client({ connectionString: urlOfDatabase(name) })
    await client.connect()
    try {
      const shop = { url: urlOfDatabase(name), name, query: client.query.bind(client) }
      await shop.query(`create table "${text}" (id int primary key, "${text}" text, list text[])`)
      const source = await makeSource(storage, shop)
      await using capture = new Capture(storage, source)
      await shop.query(`insert into "${text}" values (1, '${text}', array['${text}'])`)
      const [entry] = await capture.waitFor(1)
      expect(entry!.relation.table).toBe(text)
      expect(entry!.record).toBe(JSON.stringify({ id: 1, [text]: text, list: [text] }))
    } finally {
      await client.end()
      await dropDatabaseWithSlots(name)
    }
  })

  test('SQL_ASCII goes on where names are not UTF-8', async ({ storage }) => {
    const name = uniqueName('shop')
    await runAdmin(`create database ${name} encoding 'SQL_ASCII' template template0 locale 'C'`)
    const client = new pg.Client({ connectionString: urlOfDatabase(name) })
    await client.connect()
    try {
      const shop = { url: urlOfDatabase(name), name, query: client.query.bind(client) }
      const source = await makeSource(storage, shop)
      await using capture = new Capture(storage, source)
      // The protocol knows only UTF-8 from this client: the server makes the bytes.
      await shop.query(`do $$ begin
        execute 'create table "t' || convert_from('\\xe9', 'SQL_ASCII') || '" (id int primary key)';
        execute 'insert into "t' || convert_from('\\xe9', 'SQL_ASCII') || '" values (1)';
        perform pg_logical_emit_message(true, convert_from('\\xff', 'SQL_ASCII'), 'x');
      end $$`)
      const [entry] = await capture.waitFor(1)
      expect(entry).toMatchObject({ record: '{"id":1}', relation: { table: 'té' } })
      await shop.query('create table u (id int primary key); insert into u values (2)')
      await capture.waitFor(2)
      expect(capture.reader.metrics.failures).toBe(0)
    } finally {
      await client.end()
      await dropDatabaseWithSlots(name)
    }
  })
})

test('an interval without end is a word', async ({ storage, shop }) => {
  const { rows } = await shop.query<{ version: number }>(
    `select current_setting('server_version_num')::int / 10000 as version`,
  )
  // They came with Postgres 17.
  const literal = rows[0]!.version >= 17 ? `'-infinity'` : 'null'
  await shop.query('create table t (id int primary key, i interval)')
  await using capture = new Capture(storage, await makeSource(storage, shop))
  await shop.query(`insert into t values (1, ${literal})`)
  const [entry] = await capture.waitFor(1)
  expect(entry!.record).toBe(`{"id":1,"i":${literal.replaceAll("'", '"')}}`)
})

test('a type that was altered or dropped while it streams is text', async ({ storage, shop }) => {
  await shop.query(
    `create type pair as (a int, b int); create table t (id int primary key, p pair)`,
  )
  const source = await makeSource(storage, shop)
  await shop.query(`insert into t values (1, row(1, 2))`)
  await shop.query('alter table t drop column p; drop type pair')
  await using capture = new Capture(storage, source)
  await shop.query('insert into t values (2)')
  const [old, young] = await capture.waitFor(2)
  expect(JSON.parse(old!.record)).toEqual({ id: 1, p: '(1,2)' })
  expect(JSON.parse(young!.record)).toEqual({ id: 2 })
})

test('a composite type that is altered while it streams is known anew', async ({
  storage,
  shop,
}) => {
  await shop.query(`
    create type pair as (a int, b int);
    create table t (id int primary key, p pair, list pair[]);
    insert into t values (0, row(0, 0), null)`)
  const source = await makeSource(storage, shop)
  await shop.query(`insert into t values (1, row(1, 2), array[row(3, 4)::pair])`)
  await using capture = new Capture(storage, source)
  await capture.waitFor(1)
  await shop.query(`begin; alter type pair add attribute c text;
    insert into t values (2, row(1, 2, 'three'), array[row(4, 5, 'six')::pair]); commit`)
  await shop.query(`insert into t values (3, row(1, 2, null), null)`)
  const entries = await capture.waitFor(3)
  expect(entries.map(({ record, commitIdx }) => [record, commitIdx])).toEqual([
    ['{"id":1,"p":{"a":1,"b":2},"list":[{"a":3,"b":4}]}', 1],
    ['{"id":2,"p":{"a":1,"b":2,"c":"three"},"list":[{"a":4,"b":5,"c":"six"}]}', 1],
    ['{"id":3,"p":{"a":1,"b":2,"c":null},"list":null}', 1],
  ])
  expect(capture.reader.metrics).toMatchObject({ failures: 0, undecodable: 0 })
})

test('older values of a composite type that was altered since are text', async ({
  storage,
  shop,
}) => {
  await shop.query(
    `create type pair as (a int, b int); create table t (id int primary key, p pair)`,
  )
  const source = await makeSource(storage, shop)
  await shop.query(`insert into t select n, row(n, n)::pair from generate_series(1, 5) n`)
  await shop.query(`alter type pair drop attribute b, add attribute c text, add attribute d int`)
  await shop.query(`insert into t values (6, row(6, 'six', 6))`)
  await using capture = new Capture(storage, source)
  const entries = await capture.waitFor(6)
  expect(entries.map(({ record }) => record)).toEqual([
    ...[1, 2, 3, 4, 5].map((n) => `{"id":${n},"p":"(${n},${n})"}`),
    '{"id":6,"p":{"a":6,"c":"six","d":6}}',
  ])
})
