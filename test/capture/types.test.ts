import { expect } from 'vitest'

import { test } from '../support/database.ts'
import { Capture, makeSource } from './capture-harness.ts'

/** Types whose JSON is what `to_json` makes of them. */
const AS_TO_JSON: readonly (readonly [type: string, literal: string])[] = [
  ['smallint', `-32768`],
  ['integer', `2147483647`],
  ['numeric(6,2)', `2.50`],
  ['numeric', `'-0.000000000000000000001'`],
  ['real', `1.5e-30`],
  ['double precision', `0.1::float8 + 0.2::float8`],
  ['double precision', `'NaN'`],
  ['double precision', `'-Infinity'`],
  ['numeric', `'NaN'`],
  ['boolean', `true`],
  ['text', `e'quote " backslash \\\\ tab \\t newline \\n nul-free \\u0001 ümläut 漢字 😀'`],
  ['text', `''`],
  ['varchar(20)', `'x'`],
  ['char(5)', `'ab'`],
  ['"char"', `'a'`],
  ['name', `'pg_class'`],
  ['uuid', `'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'`],
  ['json', `'{"b": [1, 2.50, {"x": "\\u00e9"}],  "a":1}'`],
  ['jsonb', `'{"b": [1, 2.50], "a": "ü\\""}'`],
  ['date', `'2024-02-29'`],
  ['date', `'infinity'`],
  ['date', `'0044-03-15 BC'`],
  ['time', `'24:00:00'`],
  ['time', `'01:02:03.000004'`],
  ['timetz', `'04:05:06.7+05:30'`],
  ['timestamp', `'2024-01-01 00:00:00.123456'`],
  ['timestamp', `'0044-03-15 12:00:00 BC'`],
  ['timestamp', `'-infinity'`],
  ['timestamptz', `'infinity'`],
  ['integer[]', `'{1,NULL,3}'`],
  ['integer[]', `'{}'`],
  ['integer[]', `'[0:1]={7,8}'`],
  ['text[]', `array['a,b', 'say "hi"', 'back\\slash', '', 'NULL', null, '{x}']`],
  ['text[]', `array[['a','b'],['c','d']]`],
  ['numeric[]', `'{1.10,NaN}'`],
  ['boolean[]', `'{t,f}'`],
  ['jsonb[]', `array['{"a": [1, "x,y"]}'::jsonb, 'null']`],
  ['timestamp[]', `array['2024-01-01 10:00'::timestamp]`],
  ['box[]', `array['((1,1),(0,0))'::box, '((2,2),(1,1))']`],
  ['int4range', `'[1,10)'`],
  ['tstzrange', `'["2024-01-01 00:00+00","2024-01-02 00:00+00")'`],
  ['int4multirange', `'{[1,3),[5,8)}'`],
  ['int4range[]', `array['[1,2)'::int4range, 'empty']`],
  ['inet', `'192.168.0.1/24'`],
  ['cidr', `'10.0.0.0/8'`],
  ['macaddr', `'08:00:2b:01:02:03'`],
  ['macaddr8', `'08:00:2b:01:02:03:04:05'`],
  ['bit(4)', `b'1010'`],
  ['bit varying', `b'1'`],
  ['money', `'1234.50'`],
  ['xml', `'<a b="c">d</a>'`],
  ['tsvector', `'fat:2 cat:3'`],
  ['tsquery', `'fat & cat'`],
  ['point', `'(1,2.5)'`],
  ['line', `'{1,2,3}'`],
  ['lseg', `'[(0,0),(1,1)]'`],
  ['box', `'((1,1),(0,0))'`],
  ['path', `'[(0,0),(1,1)]'`],
  ['polygon', `'((0,0),(1,1),(1,0))'`],
  ['circle', `'<(1,2),3>'`],
  ['pg_lsn', `'16/B374D848'`],
  ['jsonpath', `'$.a[*]'`],
  ['mood', `'so so'`],
  ['mood[]', `'{happy,"so so"}'`],
  ['positive', `5`],
  ['deep', `7`],
  ['positive[]', `'{1,2}'`],
  ['label', `'x"y'`],
  ['place', `row('Main St, "1"', null, row(1.5, '2.5'))`],
  ['place', `row('', 'back\\slash (x)', null)`],
  ['place[]', `array[row('a', 'b', row(1, 2))::place]`],
]

/** Where `to_json` is not followed: the literal, and what we make of it. */
const OTHERWISE: readonly (readonly [type: string, literal: string, json: string])[] = [
  ['bigint', '9223372036854775807', '9223372036854775807'],
  ['numeric', '12345678901234567890.1234567890', '12345678901234567890.1234567890'],
  ['oid', '4294967295', '4294967295'],
  ['bytea', `'\\xdeadbeef'`, '"3q2+7w=="'],
  ['bytea', `''`, '""'],
  ['bytea[]', `array['\\x00'::bytea]`, '["AA=="]'],
  ['timestamptz', `'2023-10-15 14:30:00+00'`, '"2023-10-15T14:30:00Z"'],
  ['timestamptz', `'2023-10-15 14:30:00.12747+02'`, '"2023-10-15T12:30:00.12747Z"'],
  ['timestamptz', `'12345-01-01 00:00:00+00'`, '"12345-01-01T00:00:00Z"'],
  ['timestamptz', `'0044-03-15 12:00:00+00 BC'`, '"0044-03-15T12:00:00Z BC"'],
  ['timestamptz[]', `array['2024-01-01 00:00+00'::timestamptz]`, '["2024-01-01T00:00:00Z"]'],
  ['interval', `'1 year 2 mons -3 days 04:05:06.789'`, '"P1Y2M-3DT4H5M6.789S"'],
  ['json', `'{"z": "\\u0000", "n": 1e400000}'`, '{"z": "\\u0000", "n": 1e400000}'],
]

test('every type arrives as to_json makes it, or as documented, whatever the role is set to', async ({
  storage,
  shop,
}) => {
  await shop.query(`
    create type mood as enum ('happy', 'so so');
    create domain positive as int check (value > 0);
    create domain deep as positive;
    create domain label as text;
    create type spot as (x numeric, y text);
    create type place as (street text, "we""ird" text, at spot)`)
  // The session must not depend on any of these.
  await shop.query(`
    alter database ${shop.name} set datestyle = 'German';
    alter database ${shop.name} set intervalstyle = 'sql_standard';
    alter database ${shop.name} set bytea_output = 'escape';
    alter database ${shop.name} set extra_float_digits = -2;
    alter database ${shop.name} set timezone = 'Asia/Kathmandu';
    alter database ${shop.name} set statement_timeout = '2s'`)
  const types = [...AS_TO_JSON.map(([type]) => type), ...OTHERWISE.map(([type]) => type)]
  await shop.query(
    `create table t (id int primary key, ${types.map((type, index) => `c${index} ${type}`).join(', ')})`,
  )
  const source = await makeSource(storage, shop)
  await using capture = new Capture(storage, source)

  const values = [...AS_TO_JSON.map(([, value]) => value), ...OTHERWISE.map(([, value]) => value)]
  await shop.query(`set datestyle = 'ISO'; set timezone = 'UTC'; set extra_float_digits = 3`)
  await shop.query(`insert into t values (1, ${values.join(', ')})`)
  const expected = await shop.query<Record<string, string>>(
    `select ${AS_TO_JSON.map((_, index) => `to_json(c${index})::text as c${index}`).join(', ')} from t`,
  )
  await shop.query('insert into t (id) values (2)')

  const [full, empty] = await capture.waitFor(2)
  const record = JSON.parse(full!.record) as Record<string, unknown>
  for (const [index, [type, literal]] of AS_TO_JSON.entries()) {
    const json = expected.rows[0]![`c${index}`]!
    expect({ type, literal, value: record[`c${index}`] }).toEqual({
      type,
      literal,
      value: JSON.parse(json) as unknown,
    })
  }
  for (const [index, [, , json]] of OTHERWISE.entries()) {
    expect(full!.record).toContain(`"c${AS_TO_JSON.length + index}":${json}`)
  }
  expect(new Set(Object.values(JSON.parse(empty!.record) as object))).toEqual(new Set([2, null]))
  expect(full!.size).toBe(Buffer.byteLength(full!.record))
})

test('hstore arrives as an object of strings', async ({ storage, shop }) => {
  await shop.query('create extension hstore; create table t (id int primary key, h hstore)')
  const source = await makeSource(storage, shop)
  await using capture = new Capture(storage, source)
  await shop.query(`insert into t values (1, '"a \\"=>"=>"1", b=>NULL')`)
  const [entry] = await capture.waitFor(1)
  expect(JSON.parse(entry!.record)).toEqual({ id: 1, h: { 'a "=>': '1', b: null } })
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
