import fc from 'fast-check'
import pg from 'pg'
import { expect } from 'vitest'

import type { Database } from '../../src/storage/database.ts'
import { testSharing } from '../support/database.ts'
import { Capture, makeSource, type Shop } from './capture-harness.ts'

/** How random values of a type are made, and what must arrive of one. */
interface RandomType {
  readonly type: string
  /** Values as SQL expressions. */
  readonly value: fc.Arbitrary<string>
  /** The record's JSON of an SQL expression, as SQL; absent: `to_json`. */
  readonly expected?: (expression: string) => string
}

const RUNS = Number(process.env['MILLRACE_TEST_RUNS'] ?? 60)

const literal = (text: string) => pg.escapeLiteral(text)
const integer = (bits: bigint) =>
  fc.bigInt({ min: -(2n ** (bits - 1n)), max: 2n ** (bits - 1n) - 1n })
const small = fc.integer({ min: -1000, max: 1000 })
const micros = fc.bigInt({ min: -(10n ** 17n), max: 10n ** 17n })
/** Postgres keeps no NUL, and no half of a surrogate pair. */
const text = fc
  .oneof(
    fc.string({ unit: 'binary' }),
    fc.string({
      unit: fc.constantFrom(
        ...Array.from(' ,"\'\\{}()[]=>NULL\t\n\r\b\u0001\u007f\u0085\u2028é漢😀ab'),
      ),
    }),
  )
  .map((value) => value.replaceAll('\0', ''))
const digits = (max: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${max}}$`))
const octet = fc.integer({ min: 0, max: 255 })

const SCALARS: readonly RandomType[] = [
  { type: 'smallint', value: integer(16n).map((value) => `'${value}'`) },
  { type: 'integer', value: integer(32n).map((value) => `'${value}'`) },
  { type: 'bigint', value: integer(64n).map((value) => `'${value}'`) },
  {
    type: 'oid',
    value: fc.integer({ min: 0, max: 2 ** 32 - 1 }).map((value) => `'${value}'`),
    expected: (expression) => `to_json(${expression}::bigint)`,
  },
  {
    type: 'numeric',
    value: fc.oneof(
      fc
        .tuple(fc.constantFrom('', '-'), digits(40), digits(40))
        .map(([sign, whole, part]) => `'${sign}${whole}.${part}'`),
      fc
        .tuple(digits(5), fc.integer({ min: -200, max: 200 }))
        .map(([value, exponent]) => `'${value}e${exponent}'`),
      fc.constantFrom(`'NaN'`, `'Infinity'`, `'-Infinity'`),
    ),
  },
  { type: 'real', value: fc.float().map((value) => `'${value}'`) },
  { type: 'double precision', value: fc.double().map((value) => `'${value}'`) },
  { type: 'boolean', value: fc.boolean().map(String) },
  { type: 'money', value: small.map((value) => `'${value}.25'`) },
  { type: 'text', value: text.map(literal) },
  {
    type: 'varchar(30)',
    value: text.map((value) => literal(Array.from(value).slice(0, 30).join(''))),
  },
  {
    type: 'char(6)',
    value: text.map((value) => literal(Array.from(value).slice(0, 6).join('').trimEnd())),
  },
  { type: 'citext', value: text.map(literal) },
  {
    type: 'bytea',
    value: fc.uint8Array().map((bytes) => `'\\x${Buffer.from(bytes).toString('hex')}'::bytea`),
    expected: (expression) => `to_json(replace(encode(${expression}, 'base64'), e'\\n', ''))`,
  },
  { type: 'uuid', value: fc.uuid().map(literal) },
  { type: 'json', value: fc.json().map((value) => literal(value)) },
  {
    type: 'jsonb',
    // jsonb refuses a NUL and half of a surrogate pair, which json keeps.
    value: fc
      .json({ stringUnit: 'grapheme' })
      .map((value) => literal(value.replaceAll('\\u0000', ''))),
  },
  { type: 'bit(9)', value: fc.stringMatching(/^[01]{9}$/).map((value) => `b'${value}'`) },
  { type: 'bit varying', value: fc.stringMatching(/^[01]{0,20}$/).map((value) => `b'${value}'`) },
  {
    type: 'date',
    value: fc.oneof(
      fc.integer({ min: -2_400_000, max: 3_000_000 }).map((days) => `date '2000-01-01' + ${days}`),
      fc.constantFrom(`'infinity'`, `'-infinity'`),
    ),
  },
  {
    type: 'time',
    value: fc
      .integer({ min: 0, max: 86_399_999 })
      .map((ms) => `time '00:00' + interval '${ms} ms'`),
  },
  {
    type: 'timetz',
    value: fc
      .tuple(fc.integer({ min: 0, max: 86_399 }), fc.integer({ min: -15, max: 15 }))
      .map(
        ([seconds, zone]) =>
          `(time '00:00' + interval '${seconds} s')::text::timetz at time zone interval '${zone} h'`,
      ),
  },
  {
    type: 'timestamp',
    value: fc.oneof(
      micros.map((us) => `timestamp '2000-01-01' + ${us} * interval '1 us'`),
      fc.constant(`'infinity'`),
    ),
  },
  {
    type: 'timestamptz',
    value: fc.oneof(
      micros.map((us) => `timestamptz '2000-01-01+00' + ${us} * interval '1 us'`),
      fc.constant(`'-infinity'`),
    ),
    expected: (expression) => `to_json(replace(to_json(${expression}) #>> '{}', '+00:00', 'Z'))`,
  },
  {
    type: 'interval',
    value: fc
      .tuple(small, small, micros)
      .map(
        ([months, days, us]) =>
          `make_interval(months => ${months}, days => ${days}) + ${us} * interval '1 us'`,
      ),
    expected: (expression) => `to_json((${expression})::text)`,
  },
  {
    type: 'inet',
    value: fc
      .tuple(octet, octet, octet, octet, fc.integer({ min: 0, max: 32 }))
      .map(([a, b, c, d, bits]) => `'${a}.${b}.${c}.${d}/${bits}'`),
  },
  { type: 'cidr', value: fc.tuple(octet, octet).map(([a, b]) => `'${a}.${b}.0.0/16'`) },
  { type: 'macaddr', value: fc.stringMatching(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/).map(literal) },
  {
    type: 'point',
    value: fc
      .tuple(fc.double({ noNaN: true }), small)
      .map(([x, y]) => `point('${x}'::float8, ${y})`),
  },
  { type: 'circle', value: fc.tuple(small, fc.nat(99)).map(([x, r]) => `'<(${x},1),${r}>'`) },
  {
    type: 'tsvector',
    value: fc
      .array(
        text.filter((word) => word !== ''),
        { maxLength: 3 },
      )
      .map((words) => `array_to_tsvector(array[${words.map(literal).join(', ')}]::text[])`),
  },
  {
    type: 'int8range',
    value: fc
      .tuple(small, fc.nat(99), fc.constantFrom('[]', '[)', '(]', '()'))
      .map(([low, size, bounds]) => `int8range(${low}, ${low + size}, '${bounds}')`),
  },
  {
    type: 'tstzrange',
    value: small.map(
      (hours) => `tstzrange(null, timestamptz '2024-01-01+00' + interval '${hours} h')`,
    ),
  },
  {
    type: 'nummultirange',
    value: fc
      .tuple(small, fc.nat(9))
      .map(([low, size]) => `nummultirange(numrange(${low}, ${low + size}), numrange(2000, null))`),
  },
  { type: 'mood', value: fc.constantFrom(`'happy'`, `'so so'`, `'"q"'`) },
  { type: 'positive', value: fc.integer({ min: 1, max: 2 ** 31 - 1 }).map(String) },
  {
    type: 'hstore',
    value: fc
      .tuple(text, fc.option(text))
      .map(
        ([key, value]) => `hstore(${literal(key)}, ${value === null ? 'null' : literal(value)})`,
      ),
  },
]

/** Arrays of each, with nulls, of up to three dimensions; their elements' rule is theirs. */
const ARRAYS: readonly RandomType[] = SCALARS.map(({ type, value, expected = toJson }) => {
  const element = fc.option(
    value.map((sql) => `(${sql})::${type}`),
    { nil: `null::${type}` },
  )
  const flat = fc.array(element, { maxLength: 4 })
  const list = (elements: readonly string[]) => `array[${elements.join(', ')}]::${type}[]`
  const rule = (expression: string) => `case when ${expression} is not null then coalesce(
    (select json_agg(case when e is not null then ${expected('e')} end order by i)
     from unnest(${expression}) with ordinality as u (e, i)), '[]') end`
  return expected === toJson
    ? {
        type: `${type}[]`,
        value: fc.oneof(
          flat.map(list),
          fc
            .tuple(element, element, element, element)
            .map(([a, b, c, d]) => `array[[[${a}, ${b}]], [[${c}, ${d}]]]::${type}[]`),
        ),
      }
    : { type: `${type}[]`, value: flat.map(list), expected: rule }
})

const member = (type: string) =>
  fc.option(SCALARS.find((each) => each.type === type)!.value, { nil: 'null' })

const COMPOSED: readonly RandomType[] = [
  {
    type: 'place',
    value: fc
      .tuple(member('text'), member('numeric'), member('json'), fc.array(text, { maxLength: 3 }))
      .map(
        ([street, x, extra, tags]) =>
          `row(${street}, row(${x}, 'in'), ${extra}, array[${tags.map(literal).join(', ')}]::text[])`,
      ),
  },
  {
    type: 'place[]',
    value: fc
      .array(fc.tuple(member('text'), member('json')), { maxLength: 3 })
      .map(
        (rows) =>
          `array[${rows.map(([street, extra]) => `row(${street}, null, ${extra}, null)::place`).join(', ')}]::place[]`,
      ),
  },
]

const TYPES = [...SCALARS, ...ARRAYS, ...COMPOSED]

function toJson(expression: string): string {
  return `to_json(${expression})`
}

interface Channel {
  /** Stores a row, and answers its columns' JSON: as they arrived, and as they should. */
  send(values: readonly string[]): Promise<{ arrived: string; expected: (string | null)[] }>
}

const test = testSharing.extend<{ channel: Channel }>({
  channel: [({ storage, shop }, use) => openChannel(storage, shop, use), { scope: 'file' }],
})

async function openChannel(
  storage: Database,
  shop: Shop,
  use: (channel: Channel) => Promise<void>,
): Promise<void> {
  await shop.query(`
    create extension citext; create extension hstore;
    create type mood as enum ('happy', 'so so', '"q"');
    create domain positive as int check (value > 0);
    create type spot as (x numeric, y text);
    create type place as (street text, at spot, extra json, tags text[]);
    create table t (id serial primary key, ${TYPES.map(({ type }, index) => `c${index} ${type}`).join(', ')})`)
  await shop.query(`set datestyle = 'ISO'; set timezone = 'UTC'; set extra_float_digits = 3;
    set intervalstyle = 'iso_8601'`)
  const source = await makeSource(storage, shop)
  await using capture = new Capture(storage, source)
  const columns = TYPES.map(
    ({ expected = toJson }, index) => `${expected(`c${index}`)}::text as c${index}`,
  )
  let count = 0
  await use({
    async send(values) {
      const { rows } = await shop.query<{ id: number }>(
        `insert into t values (default, ${values.join(', ')}) returning id`,
      )
      const [, expected] = await Promise.all([
        capture.waitFor(++count),
        shop.query<Record<string, string | null>>(
          `select ${columns.join(', ')} from t where id = ${rows[0]!.id}`,
        ),
      ])
      const entry = capture.entries[count - 1]!
      expect(entry.size).toBe(Buffer.byteLength(entry.record))
      return {
        arrived: entry.record,
        expected: TYPES.map((_, index) => expected.rows[0]![`c${index}`]!),
      }
    },
  })
}

/** Without the blanks between the parts of a JSON text. */
function compact(json: string): string {
  return json.replaceAll(/("(?:[^"\\]|\\.)*")|\s+/g, '$1')
}

test(
  'random values of every type arrive as Postgres reads them back',
  { timeout: 240_000 + RUNS * 1_000 },
  async ({ channel }) => {
    const row = fc.tuple(...TYPES.map(({ value }) => fc.option(value, { nil: 'null', freq: 10 })))
    await fc.assert(
      fc.asyncProperty(row, async (values) => {
        const { arrived, expected } = await channel.send(values)
        const members = expected.map((json, index) => `"c${index}":${json ?? 'null'}`)
        expect(compact(arrived).replace(/^\{"id":\d+,/, '{')).toBe(
          compact(`{${members.join(',')}}`),
        )
      }),
      { numRuns: RUNS },
    )
  },
)
