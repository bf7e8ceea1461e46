import { describe, expect, test } from 'vitest'

import {
  checkSelection,
  type SelectionInput,
} from '../../../src/queue/selection/check-selection.ts'
import { makeRelation, orders } from './make-entry.ts'

const customers = makeRelation('public.customers', { id: 'integer', email: 'text' }, 2)
const notes = makeRelation('crm.notes', { id: 'text', body: 'jsonb', quantity: 'text' }, 3)

function check(changed: Partial<SelectionInput>, relations = [orders, customers, notes]) {
  const input: SelectionInput = {
    tables: ['public.orders'],
    actions: ['insert', 'update', 'delete'],
    filter: null,
    columns: null,
    groupBy: null,
    ...changed,
  }
  return checkSelection(input, relations)
}

describe('a selection is accepted', () => {
  test.each<[string, Partial<SelectionInput>]>([
    ['plain', {}],
    [
      'of tables that nobody has seen',
      { tables: ['later.*'], groupBy: ['x'], filter: 'record.x == 1' },
    ],
    ['of all actions', { actions: ['insert', 'update', 'delete', 'truncate', 'read'] }],
    [
      'with columns of one of its tables',
      { tables: ['public.*'], columns: { include: ['email', 'quantity'] } },
    ],
    ['grouped by a column', { groupBy: ['customer_id', 'id'] }],
    [
      'with a filter over several tables',
      { tables: ['*'], filter: 'has(record.email) && record.quantity == 1' },
    ],
    [
      'with a number compared with a decimal',
      { filter: 'record.quantity > 2.5 && record.total_price >= -1' },
    ],
    [
      'with a parsed timestamp',
      { filter: 'timestamp(record.order_date) > timestamp("2023-01-01T00:00:00Z")' },
    ],
    ['with annotations', { filter: 'has(metadata.transaction_annotations)' }],
    ['with a column compared with null', { filter: 'record.quantity != null' }],
    ['with anything about a column of jsonb', { filter: 'record.tags == "a" || record.tags == 1' }],
  ])('%s', (_name, changed) => {
    expect(check(changed)).toEqual([])
  })
})

describe('a selection is refused', () => {
  test.each<[string, Partial<SelectionInput>, string, string]>([
    ['without tables', { tables: [] }, '/tables', 'at least one'],
    ['with too many tables', { tables: Array(1001).fill('a.b') }, '/tables', 'at most 1000'],
    ['with a malformed table', { tables: ['a.*', 'orders'] }, '/tables/1', 'public.orders'],
    ['without actions', { actions: [] }, '/actions', 'insert, update'],
    ['with an unknown action', { actions: ['insert', 'upsert'] }, '/actions/1', "'upsert'"],
    [
      'with both ways of columns',
      { columns: { include: ['id'], exclude: ['note'] } },
      '/columns',
      'either',
    ],
    ['with neither way of columns', { columns: {} }, '/columns', 'either'],
    ['with no column', { columns: { include: [] } }, '/columns/include', 'at least one'],
    [
      'with an unknown column',
      { columns: { exclude: ['id', 'nots'] } },
      '/columns/exclude/1',
      "'note'",
    ],
    [
      'with a column of another table',
      { columns: { include: ['email'] } },
      '/columns/include/0',
      "'email'",
    ],
    ['grouped by nothing', { groupBy: [] }, '/group_by', 'at least one'],
    ['grouped by too much', { groupBy: Array(33).fill('id') }, '/group_by', 'at most 32'],
    ['grouped by an unknown column', { groupBy: ['custmer_id'] }, '/group_by/0', "'customer_id'"],
  ])('%s', (_name, changed, pointer, part) => {
    expect(check(changed)).toEqual([{ pointer, detail: expect.stringContaining(part) }])
  })

  test('with all its errors at once', () => {
    const errors = check({
      tables: ['orders', 'public.orders'],
      actions: ['x'],
      filter: 'nope',
      groupBy: ['y'],
    })
    expect(errors.map(({ pointer }) => pointer)).toEqual([
      '/tables/0',
      '/actions/0',
      '/group_by/0',
      '/filter',
    ])
  })
})

describe('a filter is refused at the place of its error', () => {
  test.each<[string, number, number, string]>([
    ['record.quantity >', 1, 18, 'ends where more is expected'],
    ['record.quantitty > 2', 1, 8, "Did you mean 'quantity'?"],
    ['true &&\n has(record.Quantity)', 2, 13, "Did you mean 'quantity'?"],
    ['record["qty"] == 2', 1, 8, "no selected table has a column 'qty'."],
    ['record.tags.exists(t, t == record.zzz)', 1, 35, "'zzz'"],
    ['changes.statu == "x"', 1, 9, "'statu'"],
    ['metadata.tablename == "x"', 1, 10, "Did you mean 'table_name'?"],
    ['metadata.consumer == "x"', 1, 10, 'There are table_schema,'],
    ['record.quantity == "3"', 1, 8, 'record.quantity is integer, a number in the message'],
    ['"3" < record.total_price', 1, 14, 'such as 2'],
    ['record.note > 3', 1, 8, 'such as "text"'],
    ['record.note == -3', 1, 8, 'such as "text"'],
    ['record.paid == "t"', 1, 8, 'such as true'],
    [
      'record.order_date > timestamp("2023-01-01T00:00:00Z")',
      1,
      8,
      'write timestamp(record.order_date)',
    ],
  ])('%s', (filter, line, column, part) => {
    const errors = check({ filter })
    expect(errors).toHaveLength(1)
    expect(errors[0]!.pointer).toBe('/filter')
    expect(errors[0]!.position).toMatchObject({ line, column })
    expect(errors[0]!.detail.toLowerCase()).toContain(part.toLowerCase())
    expect(errors[0]!.detail).toMatch(new RegExp(`^Line ${line}, column ${column}: `, 'u'))
  })

  test('but not for a type that the selected tables do not agree on', () => {
    expect(check({ tables: ['*'], filter: 'record.quantity == "3"' })).toEqual([])
  })
})
