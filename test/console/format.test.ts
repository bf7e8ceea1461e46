import { describe, expect, test } from 'vitest'

import { formatAgo, formatBytes, formatDuration, formatRate } from '../../console/src/format.ts'
import { makeTimeScale } from '../../console/src/ui/time-scale.ts'

describe('formatDuration', () => {
  test.each([
    [0, '0 ms'],
    [120, '120 ms'],
    [1500, '1.5 s'],
    [59_999, '1 min'],
    [125_000, '2 min 5 s'],
    [3_600_000, '1 h'],
    [90_061_000, '1 d 1 h'],
  ])('says %d ms as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })
})

describe('formatAgo', () => {
  const now = Date.parse('2026-01-31T12:00:00Z')
  test.each([
    ['2026-01-31T12:00:00Z', 'just now'],
    ['2026-01-31T11:59:57Z', '3 s ago'],
    ['2026-01-31T11:57:55Z', '2 min ago'],
    ['2026-01-31T12:00:20Z', 'in 20 s'],
  ])('says %s as %s', (time, text) => {
    expect(formatAgo(time, now)).toBe(text)
  })
})

describe('numbers', () => {
  test('are short and keep their unit', () => {
    expect([0, 0.05, 3.14159, 12_345].map(formatRate)).toEqual([
      '0/s',
      '3.0/min',
      '3.1/s',
      '12,345/s',
    ])
    expect([0, 1023, 1536, 5_000_000_000].map(formatBytes)).toEqual([
      '0 B',
      '1023 B',
      '1.5 kB',
      '4.7 GB',
    ])
  })
})

describe('the axis of time', () => {
  const scale = makeTimeScale(1_000_000, 1_000_000 + 3_600_000)

  test('begins at the commit and goes on without turning back', () => {
    const places = [0, 10, 1000, 60_000, 3_600_000].map((ms) => scale.place(1_000_000 + ms))
    expect(places[0]).toBe(0)
    expect(places).toEqual(places.toSorted((a, b) => a - b))
    expect(places.at(-1)).toBeLessThanOrEqual(1)
  })

  test('keeps what came before the commit, by another clock, at its beginning', () => {
    expect(scale.place(0)).toBe(0)
  })

  test('has labels that can be read beside each other', () => {
    const places = scale.ticks.map(({ at }) => at)
    const gaps = places.slice(1).map((place, index) => place - places[index]!)
    expect(Math.min(...gaps)).toBeGreaterThan(0.07)
    expect(Math.max(...places)).toBeLessThan(0.95)
  })
})
