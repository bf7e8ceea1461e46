import { describe, expect, test } from 'vitest'

import type { Action } from '../../../src/log/entry.ts'
import { makeEntry, makeRelation, makeSelection, orders } from './make-entry.ts'

const customers = makeRelation('public.customers', { id: 'integer' }, 2)

describe('matches', () => {
  test('goes by table and action', () => {
    const selection = makeSelection({ actions: ['insert', 'truncate'] })
    const verdicts = (['insert', 'update', 'delete', 'read', 'truncate'] as Action[]).map(
      (action) => [action, selection.matches(makeEntry({ action }))],
    )
    expect(Object.fromEntries(verdicts)).toEqual({
      insert: true,
      update: false,
      delete: false,
      read: true,
      truncate: true,
    })
    expect(selection.actions).toEqual(['insert', 'truncate', 'read'])
    expect(selection.matches(makeEntry({ relation: customers }))).toBe(false)
  })

  test('leaves truncates out unless they are listed', () => {
    expect(makeSelection().matches(makeEntry({ action: 'truncate' }))).toBe(false)
  })

  test('tells tables apart that come in turns, and shapes that share a number', () => {
    const selection = makeSelection()
    const impostor = { ...customers, relationNo: orders.relationNo }
    const relations = [orders, customers, impostor, orders, impostor, customers]
    expect(relations.map((relation) => selection.selectsRelation(relation))).toEqual([
      true,
      false,
      false,
      true,
      false,
      false,
    ])
  })

  test('takes every table for a star, wherever it stands', () => {
    const all = makeSelection({ tables: ['sales.orders', '*'] })
    expect(all.takesAll).toBe(true)
    expect(all.matches(makeEntry({ relation: customers }))).toBe(true)
    expect(makeSelection({ tables: ['public.*'] }).takesAll).toBe(false)
  })

  test('asks the filter of selected entries only', () => {
    const selection = makeSelection({ filter: 'record.quantity > 2', actions: ['insert'] })
    expect(selection.matches(makeEntry({ record: '{"quantity":3}' }))).toBe(true)
    expect(selection.matches(makeEntry({ record: '{"quantity":2}' }))).toBe(false)
    expect(selection.matches(makeEntry())).toEqual({ failed: expect.stringContaining('quantity') })
    expect(selection.matches(makeEntry({ action: 'update' }))).toBe(false)
    expect(selection.matches(makeEntry({ relation: customers }))).toBe(false)
  })

  test('two filters used in turn do not mix their variables', () => {
    const one = makeSelection({ filter: 'record.quantity > 2' })
    const two = makeSelection({ filter: 'record.quantity < 2' })
    for (const quantity of [1, 3, 1, 3]) {
      const entry = makeEntry({ record: `{"quantity":${quantity}}` })
      expect([one.matches(entry), two.matches(entry)]).toEqual([quantity > 2, quantity < 2])
    }
  })

  test('a stored filter that no longer compiles lets nothing pass and loses nothing', () => {
    const selection = makeSelection({ filter: 'record.quantity >' })
    expect(selection.matches(makeEntry())).toEqual({
      failed:
        'The filter cannot be used. Line 1, column 18: The expression ends where more is expected.',
    })
  })
})

describe('project', () => {
  const entry = makeEntry({
    action: 'update',
    record: '{"id":1,"note":"secret","total_price":10000000000000000000.10}',
    changes: '{"note":"old","total_price":1}',
  })

  test('gives the very same texts without a rule', () => {
    expect(makeSelection().project(entry)).toBe(entry)
  })

  test('cuts record and changes alike', () => {
    expect(makeSelection({ columns: { exclude: ['note'] } }).project(entry)).toEqual({
      record: '{"id":1,"total_price":10000000000000000000.10}',
      changes: '{"total_price":1}',
    })
    expect(makeSelection({ columns: { include: ['id'] } }).project(entry)).toEqual({
      record: '{"id":1}',
      changes: '{}',
    })
  })

  test('keeps absent changes absent', () => {
    const projected = makeSelection({ columns: { include: ['id'] } }).project(makeEntry())
    expect(projected).toEqual({ record: '{"id":1}', changes: null })
  })
})
