import { describe, expect, test } from 'vitest'

import type { LogEntry } from '../../../src/log/entry.ts'
import { compileFilter } from '../../../src/queue/selection/compile-filter.ts'
import { FilterError } from '../../../src/queue/selection/filter-error.ts'
import { makeEntry } from './make-entry.ts'

const RECORD = `{"id":1,"quantity":3,"total_price":99.99,"round":100.00,"whole":100,"big":9007199254740993,
  "huge":123456789012345678901234567890,"tiny":-1,"note":null,"name":"a\\"b ä","paid":true,
  "order_date":"2023-10-15T14:30:00.127470Z","tags":["a","b"],"ids":[9007199254740993],
  "nested":{"constructor":7,"deep":{"x":[1,2.5]}},"constructor":"c","Mixed Case":1}`

const update = makeEntry({
  action: 'update',
  record: RECORD,
  changes: '{"quantity":2,"note":"x"}',
  extra: '"unchanged_columns":["body"],"transaction_annotations":{"user":"ann"}',
})

function evaluate(expression: string, changed: Partial<LogEntry> = {}) {
  return compileFilter(expression).evaluate({ ...update, ...changed })
}

function refusal(expression: string): FilterError {
  try {
    compileFilter(expression)
  } catch (error) {
    if (error instanceof FilterError) return error
    throw error
  }
  throw new Error(`${expression} was not refused`)
}

describe('filters hold', () => {
  test.each([
    'record.quantity > 2',
    'record.quantity == 3',
    'record.quantity == 3.0',
    'record.quantity in [1, 3]',
    'record.tiny < 0',
    'record.total_price > 99',
    'record.total_price == 99.99',
    'record.total_price < 100',
    'record.round > 99',
    'record.round == 100',
    'record.round in [100]',
    'record.whole > 99.5',
    'record.whole == 100.0',
    'record.whole >= 100',
    'record.big == 9007199254740993',
    'record.big > 9007199254740992',
    'record.huge > 9223372036854775807',
    'record.ids[0] == 9007199254740993',
    'record.quantity * record.total_price > 299.9',
    '2 * record.total_price > 199',
    'record.total_price / 3 < 34',
    'record.note == null',
    'record.quantity != null',
    'has(record.note)',
    '!has(record.zip)',
    'record.name == "a\\"b ä"',
    'record.name.matches("^a.b [ä-ö]$")',
    'record.paid',
    'record.constructor == "c"',
    'record.nested.constructor == 7',
    'record.nested.deep.x[1] == 2.5',
    'record["Mixed Case"] == 1',
    'record.tags.exists(tag, tag == "b")',
    '"a" in record.tags',
    '"quantity" in record && !("zip" in record)',
    'record.exists(column, column == "paid")',
    'timestamp(record.order_date) > timestamp("2023-10-15T00:00:00Z")',
    'timestamp(metadata.commit_timestamp).getFullYear() == 2023',
    'changes.quantity < record.quantity',
    'changes != null && has(changes.note) && !has(changes.paid)',
    'action == "update"',
    'action in ["update", "delete"]',
    'metadata.table_schema == "public" && metadata.table_name == "orders"',
    'metadata.commit_lsn == 123456789 && metadata.commit_idx == 1',
    'metadata.commit_timestamp == "2023-10-15T14:30:00.127470Z"',
    '"body" in metadata.unchanged_columns',
    'metadata.transaction_annotations.user == "ann"',
    'record.zip == 1 || true',
  ])('%s', (expression) => {
    expect(evaluate(expression)).toBe(true)
  })

  test('for an insert, whose changes are null', () => {
    const insert = { action: 'insert', changes: null } as const
    expect(evaluate('changes == null', insert)).toBe(true)
    expect(evaluate('has(changes.quantity)', insert)).toBe(false)
    expect(evaluate('action != "update" || changes.quantity == 2', insert)).toBe(true)
  })

  test('for each entry by its own values, none left over from the one before', () => {
    const filter = compileFilter('has(record.quantity) && record.quantity > 2 && has(changes.note)')
    const entry = (record: string, changes: string | null) =>
      filter.evaluate(makeEntry({ record, changes }))
    expect(entry('{"quantity":3}', '{"note":1}')).toBe(true)
    expect(entry('{"id":3}', '{"note":1}')).toBe(false)
    expect(entry('{"quantity":3}', null)).toBe(false)
    expect(entry('{"quantity":3}', '{"note":1}')).toBe(true)
  })
})

test.each([
  ['"quantity" in record', { record: '{"quantity":1}' }, { record: '{"id":1}' }],
  ['changes != null && "note" in changes', { changes: '{"note":1}' }, { changes: '{"id":1}' }],
  ['has(metadata.unchanged_columns)', {}, { extra: null }],
])('%s is asked of one entry after the other', (expression, first, second) => {
  const filter = compileFilter(expression)
  const verdicts = [first, second, first].map((each) => filter.evaluate({ ...update, ...each }))
  expect(verdicts).toEqual([true, false, true])
})

describe('a filter that fails on an entry says why', () => {
  test.each([
    [
      'record.zip == 1',
      'line 1, column 8: No such key: zip. The change does not hold it; ask first with has',
    ],
    ['true &&\n  record.note > 2', 'line 2, column 3: no such overload'],
    ['record.name > 2', 'no such overload'],
    ['record.note.matches("x")', "'null.matches(string)'"],
    ['record.note', 'answered with a null'],
    ['record.name', 'answered with a string'],
    ['timestamp(record.name) == timestamp(record.name)', 'line 1, column 1'],
    ['record.quantity / 0 == 1', 'division by zero'],
  ])('%s', (expression, part) => {
    expect(evaluate(expression)).toEqual({ failed: expect.stringContaining(part) })
  })

  test('a record that cannot be read concerns its entry alone', () => {
    const filter = compileFilter('record.quantity > 2')
    expect(filter.evaluate(makeEntry({ record: '{"quantity":' }))).toHaveProperty('failed')
    expect(filter.evaluate(makeEntry({ record: '{"quantity":3}' }))).toBe(true)
  })

  test('a value too deep to be read is a failure, not a crash', () => {
    const deep = `{"tags":${'['.repeat(200_000)}${']'.repeat(200_000)}}`
    expect(evaluate('record.tags == []', { record: deep })).toHaveProperty('failed')
  })

  test('reasons stay short', () => {
    const record = `{"name":${JSON.stringify('x'.repeat(10_000))}}`
    const verdict = evaluate('bool(record.name)', { record }) as { failed: string }
    expect(verdict.failed).toContain('bool() conversion error')
    expect(verdict.failed.length).toBeLessThanOrEqual(500)
  })
})

describe('wrong expressions are refused at their place', () => {
  test.each([
    ['', 1, 1, 'is empty'],
    ['record.quantity >', 1, 18, 'ends where more is expected'],
    ['record.quantity = 2', 1, 17, "Compare with '=='"],
    ['record.quantity >\n  > 2', 2, 3, 'Unexpected token'],
    ['"\\q" == "q"', 1, 2, 'escape'],
    ['quantity > 2', 1, 1, 'columns are read as record.name'],
    ['action == 1', 1, 1, 'string == int'],
    ['size(record)', 1, 1, 'must be true or false'],
    ['record.note.matchesLinearly()', 1, 1, 'matches'],
    ['true ||\n[1].all(record, true)', 2, 9, 'another name'],
    ['record.note.matches("a(")', 1, 21, 'missing closing )'],
    ['record.note.matches("(?=a)")', 1, 21, 'not one of RE2'],
    [`record.note.matches("${'(a{900}){1}'.repeat(30)}")`, 1, 21, 'too large'],
    ['record.note.matches(record.name)', 1, 21, 'must be a string in the expression'],
    ['cel.bind(x, 1, x > 0)', 1, 1, 'not available'],
    ['["a"].join("b") == "c"', 1, 1, 'not available'],
    [`${'1 + '.repeat(17)}1 > 0`, 1, 1, 'at most 16 times'],
    [`${'[1].all(x, true) && '.repeat(9)}true`, 1, 161, 'at most 8 times'],
    [`${'('.repeat(100)}true${')'.repeat(100)}`, 1, 65, 'maxDepth'],
  ])('%s', (expression, line, column, part) => {
    const error = refusal(expression)
    expect(error.message).toContain(part)
    expect(error.position).toMatchObject({ line, column })
    expect(error.describe()).toBe(`Line ${line}, column ${column}: ${error.message}`)
    expect(expression.slice(0, error.position.offset).split('\n')).toHaveLength(line)
  })

  test('an expression has at most 4096 bytes', () => {
    const fill = (bytes: number) => `record.note == "${'ä'.repeat((bytes - 17) / 2)}"`
    expect(compileFilter(fill(4095))).toHaveProperty('evaluate')
    expect(refusal(fill(4097)).message).toContain('4096 bytes')
  })
})

describe('a filter ends', () => {
  const numbers = (length: number) => ({
    record: JSON.stringify({ list: Array.from({ length }, (_, i) => i) }),
  })

  test.each([
    'record.list.all(a, record.list.all(b, true))',
    'record.list.exists(a, record.list.exists(b, false))',
    'record.list.exists_one(a, record.list.exists_one(b, false))',
    'size(record.list.map(a, record.list.map(b, b))) > 0',
    'size(record.list.filter(a, size(record.list.filter(b, true)) > 0)) > 0',
    'record.list.all(a, record.list.all(b, record.list.all(c, record.list.all(d, true))))',
    'record.list.exists(a, record.list.exists(b, false)) || record.list.all(a, a >= 0)',
  ])('%s, after 100,000 elements', (expression) => {
    const filter = compileFilter(expression)
    expect(filter.evaluate(makeEntry(numbers(1000)))).toEqual({
      failed: expect.stringContaining('more than 100000 elements'),
    })
    expect(filter.evaluate(makeEntry(numbers(3)))).toBeTypeOf('boolean')
  })

  test('each entry has a budget of its own', () => {
    const filter = compileFilter('record.list.all(a, a >= 0)')
    const entry = makeEntry(numbers(60_000))
    expect([filter.evaluate(entry), filter.evaluate(entry)]).toEqual([true, true])
  })

  test('also when every element is dear', () => {
    const filter = compileFilter('record.list.all(a, !(-1 in record.list))')
    expect(filter.evaluate(makeEntry(numbers(90_000)))).toEqual({
      failed: expect.stringContaining('longer than 1000 ms'),
    })
  })

  test('also with a pattern that would hold up a backtracking engine', () => {
    const record = JSON.stringify({ name: `${'a'.repeat(100_000)}!` })
    expect(evaluate('record.name.matches("^(a+)+$")', { record })).toBe(false)
  })
})
