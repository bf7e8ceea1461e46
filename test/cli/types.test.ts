import { createClient, type Message, type NumberMode } from '@millrace/client'
import { describe, expect } from 'vitest'

import { compileTypeScript } from '../support/compile-typescript.ts'
import { test } from '../support/live-server.ts'
import { runCommand } from '../support/run-cli.ts'

/** A column of every type that arrives in a way of its own, and two values of it. */
const COLUMNS: readonly (readonly [type: string, ...values: string[]])[] = [
  ['smallint', '-32768', '7'],
  ['integer', '2147483647'],
  ['bigint', '9223372036854775807', '12'],
  ['oid', '4294967295'],
  ['real', '1.5e-30', `'NaN'`],
  ['double precision', '0.1', `'-Infinity'`],
  ['numeric', '12345678901234567890', '1.50'],
  ['numeric', '12345678901234567890.123', `'Infinity'`],
  ['numeric(10,2)', '99.90', `'NaN'`],
  ['numeric(30)', '123456789012345678901234567890', '5'],
  ['numeric(30,5)', '1234567890123456789012345.12345', '0.5'],
  ['boolean', 'true', 'false'],
  ['text', `e'quote '' \\\\ tab \\t \\u2028'`, `''`],
  ['varchar(20)', `'x'`],
  ['char(5)', `'ab'`],
  ['uuid', `'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'`],
  ['json', `'{"a": [1, 12345678901234567890]}'`, `'null'`],
  ['jsonb', `'[1, "x", null]'`],
  ['bytea', `'\\xdeadbeef'`],
  ['date', `'2024-02-29'`, `'infinity'`],
  ['time', `'01:02:03.000004'`],
  ['timetz', `'04:05:06.7+05:30'`],
  ['timestamp', `'2024-01-01 00:00:00.123456'`],
  ['timestamptz', `'2023-10-15 14:30:00+00'`],
  ['interval', `'1 year 2 mons'`],
  ['integer[]', `'{1,NULL,3}'`, `'{}'`],
  ['integer[][]', `'{{1,2},{3,NULL}}'`],
  ['bigint[]', `'{9223372036854775807,1}'`],
  ['numeric(4,1)[]', `'{1.5,NaN}'`],
  ['text[]', `array['a,b', null]`],
  ['jsonb[]', `array['{"a": 1}'::jsonb]`],
  ['int4range', `'[1,10)'`],
  ['int4multirange', `'{[1,3),[5,8)}'`],
  ['inet', `'192.168.0.1/24'`],
  ['bit(4)', `b'1010'`],
  ['money', `'1234.50'`],
  ['xml', `'<a b="c">d</a>'`],
  ['tsvector', `'fat:2 cat:3'`],
  ['point', `'(1,2.5)'`],
  ['mood', `'happy'`, `'it''s so'`],
  ['mood[]', `'{happy,NULL}'`],
  ['positive', '5'],
  ['prices', `'{1.10,2.20}'`],
  ['audit.mood', `'bad'`],
  ['place', `row('Main St', null, row(1.5, '{a,b}'), '{happy}')`, `row(null, 5, null, null)`],
  ['place[]', `array[row('a', 7, null, null)::place]`],
  ['hstore', `'a=>1, b=>NULL'`],
  ['"An odd ""type"""', `'odd'`],
]

const SCHEMA = `
  create extension hstore;
  create schema audit;
  create type mood as enum ('happy', 'it''s so');
  create type audit.mood as enum ('bad', 'worse');
  create type "An odd ""type""" as enum ('odd');
  create domain positive as int check (value > 0);
  create domain prices as numeric(10,2)[];
  create type spot as (x numeric, tags text[]);
  create type place as (street text, "house no" bigint, at spot, moods mood[])`

/** A message as TypeScript, checked against the type of its table by the compiler itself. */
function writeLiteral(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`
  if (Array.isArray(value)) return `[${value.map(writeLiteral).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(
      ([key, member]) => `${JSON.stringify(key)}: ${writeLiteral(member)}`,
    )
    return `{ ${members.join(', ')} }`
  }
  return JSON.stringify(value)
}

describe('millrace types', () => {
  test('writes types that fit real messages of a table with every type, in every mode of numbers', async ({
    server,
    shop,
  }) => {
    await shop.query(SCHEMA)
    const columns = COLUMNS.map(([type], index) => `c${index} ${type}`)
    await shop.query(`create table every_type (
      id bigint generated always as identity primary key, ${columns.join(', ')},
      "odd 'name'" int not null default 1,
      twice int generated always as (2) stored)`)
    await shop.query(`create table audit.entry (id int primary key, note text not null)`)
    await server.connectShop()
    await server.client.consumers.put('all', { source: 'shop', tables: ['*'] })
    for (const at of [1, 2]) {
      const values = COLUMNS.map((column) => column[at] ?? 'null')
      const names = COLUMNS.map((_, index) => `c${index}`)
      await shop.query(`insert into every_type (${names.join(', ')}) values (${values.join(', ')})`)
    }
    await shop.query('update every_type set c0 = 1, c2 = null where id = 1')
    await shop.query('delete from every_type where id = 2')
    await shop.query(`insert into audit.entry values (1, 'x')`)

    const files: Record<string, string> = {}
    for (const numbers of ['safe', 'string', 'native'] as NumberMode[]) {
      const { url: baseUrl, token } = server
      const client = createClient({ baseUrl, token, numbers })
      const messages: Message[] = []
      while (messages.length < 5) {
        const { data } = await client.receive('all', { batchSize: 10 })
        messages.push(...data)
        await client.ack(
          'all',
          data.map(({ ack_id }) => ack_id),
        )
      }
      await client.consumers.seek('all', { to: 'earliest' })
      const commandLine = ['types', '--source', 'shop', '--numbers', numbers]
      const { code, out, errors } = await runCommand(
        { MILLRACE_URL: server.url, MILLRACE_TOKEN: token },
        commandLine,
      )
      expect([code, errors]).toEqual([0, ''])
      files[`tables-${numbers}.ts`] = `${out.join('\n')}\n`
      files[`messages-${numbers}.ts`] = `import type { Message } from '@millrace/client'
import type { Tables } from './tables-${numbers}.ts'
${messages
  .map(
    (message, index) =>
      `export const m${index}: Message<Tables['${message.metadata.table_schema}.${message.metadata.table_name}']> = ${writeLiteral(message)}\n`,
  )
  .join('')}`
    }
    // What must not compile shows that the compiler has looked.
    files['wrong.ts'] = `import type { Tables } from './tables-safe.ts'
type Row = Tables['public.every_type']
// @ts-expect-error not null
export const id: Row['id'] = null
// @ts-expect-error no label of the enum
export const mood: Row['c39'] = 'sad'
// @ts-expect-error always a number
export const price: Row['c8'] = '1.50'
// @ts-expect-error no column
export type Missing = Row['missing']
`

    expect(await compileTypeScript(files)).toBe('')
    expect(files['tables-safe.ts']).toMatch(/^export type Mood = 'happy' \| 'it\\'s so'$/m)
    expect(files['tables-safe.ts']).toMatch(/^export type AuditMood = 'bad' \| 'worse'$/m)
    expect(files['tables-safe.ts']).toContain(`  'odd \\'name\\'': number\n`)
  })

  test('needs a source that has captured tables', async ({ server, shop }) => {
    const environment = { MILLRACE_URL: server.url, MILLRACE_TOKEN: server.token }
    const run = (...commandLine: string[]) => runCommand(environment, commandLine)
    await shop.query('create table orders (id int primary key)')
    await server.connectShop(['public.orders'])

    expect((await run('types')).code).toBe(2)
    expect((await run('types', '--source', 'shop', '--numbers', 'all')).code).toBe(2)
    expect((await run('types', '--source', 'nowhere')).code).toBe(4)
    const json = await run('types', '--source', 'shop', '--json')
    expect(JSON.parse(json.out[0]!)).toMatchObject({ data: [{ table: 'orders' }] })
    await shop.query('drop table orders')
    expect((await run('types', '--source', 'shop')).code).toBe(1)
  })
})
