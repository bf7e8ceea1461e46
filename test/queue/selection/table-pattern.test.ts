import { describe, expect, test } from 'vitest'

import {
  compileTablePatterns,
  parseTablePattern,
} from '../../../src/queue/selection/table-pattern.ts'

describe('table patterns', () => {
  test.each([
    ['*', { kind: 'all' }],
    ['public.*', { kind: 'schema', schema: 'public' }],
    ['public.orders', { kind: 'table', schema: 'public', table: 'orders' }],
    ['Sales.Order Lines', { kind: 'table', schema: 'Sales', table: 'Order Lines' }],
    ['öffentlich.注文', { kind: 'table', schema: 'öffentlich', table: '注文' }],
    ['public.a.b', { kind: 'table', schema: 'public', table: 'a.b' }],
    ['"a.b"."c.d"', { kind: 'table', schema: 'a.b', table: 'c.d' }],
    ['"a.b".*', { kind: 'schema', schema: 'a.b' }],
    ['public."*"', { kind: 'table', schema: 'public', table: '*' }],
    ['"say ""hi""".orders', { kind: 'table', schema: 'say "hi"', table: 'orders' }],
  ])('%s is read', (text, pattern) => {
    expect(parseTablePattern(text)).toEqual(pattern)
  })

  test.each([
    ['', 'missing'],
    ['orders', 'write public.orders'],
    ['"orders"', 'names no schema'],
    ['public.', 'is empty'],
    ['.orders', 'is empty'],
    ['*.orders', 'holds a star'],
    ['public.ord*', 'holds a star'],
    [' public.orders', 'space'],
    ['public.orders ', 'space'],
    ['"public.orders', 'never closed'],
    ['public."orders"x', 'goes on after'],
    ['public.or"ders', 'holds a quote'],
    [`public.${'ö'.repeat(32)}`, '63 bytes'],
  ])('%s is refused with a sentence', (text, part) => {
    expect(parseTablePattern(text)).toContain(part)
  })

  test('a table is taken by its own name, its schema or the star, and by nothing else', () => {
    const takes = compileTablePatterns(['public.orders', 'sales.*', 'broken'])
    expect(takes({ schema: 'public', table: 'orders' })).toBe(true)
    expect(takes({ schema: 'sales', table: 'anything' })).toBe(true)
    expect(takes({ schema: 'public', table: 'Orders' })).toBe(false)
    expect(takes({ schema: 'public', table: 'customers' })).toBe(false)
    expect(compileTablePatterns(['a.b', '*'])({ schema: 'x', table: 'y' })).toBe(true)
  })
})
