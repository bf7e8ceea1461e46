import { describe, expect, test } from 'vitest'

import { RecentAcks } from '../../src/queue/recent-acks.ts'

const HOUR_MS = 3_600_000

function fill(acks: RecentAcks, count: number, stepMs: number): void {
  for (let seq = 1; seq <= count; seq += 1) acks.add(seq, seq * stepMs - 1, seq * stepMs)
}

describe('recent acks', () => {
  test('are found by seq, the newest of several', () => {
    const acks = new RecentAcks()
    acks.add(7, 10, 12)
    acks.add(8, 0, 13)
    acks.add(7, 20, 25)
    expect(acks.find(7)).toEqual({ deliveredMs: 20, ackedMs: 25 })
    expect(acks.find(8)).toEqual({ deliveredMs: null, ackedMs: 13 })
    expect(acks.find(9)).toBeUndefined()
  })

  test('grow while they are recent, and then overwrite the oldest', () => {
    const acks = new RecentAcks()
    fill(acks, 20_000, 1)
    expect(acks.find(20_000)).toEqual({ deliveredMs: 19_999, ackedMs: 20_000 })
    expect(acks.find(20_000 - 16_383)?.ackedMs).toBe(20_000 - 16_383)
    expect(acks.find(20_000 - 16_384)).toBeUndefined()
  })

  test('do not grow for what is old anyway', () => {
    const acks = new RecentAcks()
    fill(acks, 1000, HOUR_MS)
    expect(acks.find(1000)).toBeDefined()
    expect(acks.find(1000 - 256)).toBeUndefined()
  })
})
