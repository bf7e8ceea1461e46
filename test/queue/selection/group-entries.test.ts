import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import type { LogEntry } from '../../../src/log/entry.ts'
import { hashGroup } from '../../../src/queue/selection/group-identity.ts'
import { makeEntry, makeRelation, makeSelection, orders } from './make-entry.ts'

const byRow = makeSelection()
const byCustomer = makeSelection({ groupBy: ['customer_id'] })
const byTwo = makeSelection({ groupBy: ['region', 'customer_id'] })

describe('group hashes', () => {
  test('are the same as ever: they are stored', () => {
    expect(hashGroup(orders, '1')).toBe(3388160935781679)
    expect(hashGroup(makeRelation('sales.ä'), '1,"a"')).toBe(972480959116125)
  })

  test('are equal for one table and key, and differ for everything else', () => {
    const text = fc
      .string({ unit: 'binary', maxLength: 12 })
      .map((each) => each.replaceAll('\0', ''))
    const place = fc.record({ schema: text, table: text, key: text })
    fc.assert(
      fc.property(place, place, (left, right) => {
        const same =
          left.schema === right.schema && left.table === right.table && left.key === right.key
        const hash = ({ schema, table, key }: typeof left) =>
          hashGroup({ ...orders, schema, table }, key)
        expect(hash(left) === hash(right)).toBe(same)
        expect(hash(left)).toBe(hash({ ...left }))
      }),
    )
  })

  test('tell a schema with a dot from a table with one', () => {
    const left = { ...orders, schema: 'a.b', table: 'c' }
    const right = { ...orders, schema: 'a', table: 'b.c' }
    expect(hashGroup(left, '1')).not.toBe(hashGroup(right, '1'))
  })

  test('are positive safe integers, spread over their 52 bits and distinct for 200,000 keys', () => {
    const hashes = Array.from({ length: 200_000 }, (_, i) => hashGroup(orders, String(i)))
    expect(new Set(hashes).size).toBe(hashes.length)
    expect(hashes.every((hash) => Number.isSafeInteger(hash) && hash > 0)).toBe(true)
    const high = hashes.filter((hash) => hash >= 2 ** 51).length
    const odd = hashes.filter((hash) => hash % 2 === 1).length
    expect(Math.abs(high - 100_000)).toBeLessThan(2000)
    expect(Math.abs(odd - 100_000)).toBeLessThan(2000)
    expect(Math.max(...hashes.slice(0, 1000))).toBeLessThan(2 ** 52)
  })
})

describe('groups', () => {
  test('of a row are worked out once and kept with the entry', () => {
    const entry = makeEntry({ key: '2', oldKey: '1' })
    const hash = byRow.groupHash(entry)
    const other = byRow.otherGroupHash(entry)
    expect(entry).toMatchObject({ groupHash: hash, otherGroupHash: other })
    expect(hash).toBe(hashGroup(orders, '2'))
    expect(other).toBe(hashGroup(orders, '1'))
  })

  test('of one row are one, whichever shape the table had', () => {
    const later = { ...orders, relationNo: 9, columns: orders.columns.slice(0, 2) }
    expect(byRow.groupHash(makeEntry({ relation: later }))).toBe(byRow.groupHash(makeEntry()))
  })

  test.each<[string, Partial<LogEntry>]>([
    ['a table without a key', { key: null }],
    ['a truncate', { key: null, action: 'truncate', record: '{}' }],
  ])('do not hold %s', (_name, changed) => {
    const entry = makeEntry(changed)
    expect([byRow.groupHash(entry), byRow.otherGroupHash(entry)]).toEqual([0, 0])
    expect(byRow.groupLabel(entry)).toBeNull()
  })

  test('do not exist without ordering', () => {
    const selection = makeSelection({ ordering: 'none', groupBy: ['id'] })
    const entry = makeEntry({ oldKey: '2' })
    expect([selection.groupHash(entry), selection.otherGroupHash(entry)]).toEqual([0, 0])
    expect(selection.groupLabel(entry)).toBeNull()
  })

  test('have no other while the key stays', () => {
    expect(byRow.otherGroupHash(makeEntry({ action: 'update', changes: '{"note":null}' }))).toBe(0)
  })

  test('follow the columns they are made by', () => {
    const one = makeEntry({ key: '1', record: '{"id":1,"customer_id":42}' })
    const two = makeEntry({ key: '2', record: '{"id":2,"customer_id":42}' })
    const three = makeEntry({ key: '3', record: '{"id":3,"customer_id":43}' })
    expect(byCustomer.groupHash(one)).toBe(byCustomer.groupHash(two))
    expect(byCustomer.groupHash(one)).not.toBe(byCustomer.groupHash(three))
    expect(byCustomer.groupHash(one)).not.toBe(byRow.groupHash(one))
  })

  test('take the former group from the previous values', () => {
    const before = makeEntry({ record: '{"region":"eu","customer_id":42}' })
    const moved = makeEntry({
      action: 'update',
      record: '{"region":"eu","customer_id":43}',
      changes: '{"customer_id":42}',
    })
    const touched = makeEntry({ ...moved, changes: '{"note":"x"}' })
    const rewritten = makeEntry({ ...moved, changes: '{"customer_id":43}' })
    expect(byTwo.otherGroupHash(moved)).toBe(byTwo.groupHash(before))
    expect(byTwo.otherGroupHash(touched)).toBe(0)
    expect(byTwo.otherGroupHash(rewritten)).toBe(0)
  })

  test('put a column that the record lacks at null', () => {
    const missing = makeEntry({ record: '{"id":1}' })
    const empty = makeEntry({ record: '{"customer_id":null}' })
    expect(byCustomer.groupHash(missing)).toBe(byCustomer.groupHash(empty))
    expect(byCustomer.groupHash(missing)).not.toBe(0)
    expect(byCustomer.groupHash(makeEntry({ action: 'truncate', record: '{}' }))).toBe(0)
    expect(byCustomer.groupLabel(makeEntry({ action: 'truncate', record: '{}' }))).toBeNull()
  })
})

describe('group labels', () => {
  const sales = makeRelation('sales.orders')
  const composite = { ...sales, keyColumns: ['id', 'line'] }
  test.each<[string, Partial<LogEntry>]>([
    ['orders:1', {}],
    ['sales.orders:1', { relation: sales }],
    ['orders:a"b', { key: String.raw`"a\"b"` }],
    ['sales.orders:1,"a"', { relation: composite, key: '1,"a"' }],
    ['sales.orders:"a","b"', { relation: composite, key: '"a","b"' }],
  ])('%s', (label, changed) => {
    expect(byRow.groupLabel(makeEntry(changed))).toBe(label)
  })

  test('of columns look the same', () => {
    const entry = makeEntry({ record: '{"customer_id":"c1","region":"eu"}' })
    expect(byCustomer.groupLabel(entry)).toBe('orders:c1')
    expect(byTwo.groupLabel(entry)).toBe('orders:"eu","c1"')
  })

  test('of long keys are cut and still differ', () => {
    const long = 'x'.repeat(100_000)
    const [one, two] = ['1', '2'].map((end) =>
      byRow.groupLabel(makeEntry({ key: `"${long}${end}"` })),
    )
    expect(one).not.toBe(two)
    expect(one!.length).toBeLessThan(250)
  })
})
