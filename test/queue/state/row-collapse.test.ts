import { describe, expect, test } from 'vitest'

import type { LogEntry } from '../../../src/log/entry.ts'
import type { Feed } from '../../../src/queue/state/claim-messages.ts'
import { QueueState } from '../../../src/queue/state/queue-state.ts'
import { RowCollapse } from '../../../src/queue/state/row-collapse.ts'
import { makeEntry, makeSelection } from '../selection/make-entry.ts'

function stateAt(cursor: number): QueueState {
  return new QueueState({ version: 1, token: 0, cursor, nextLeaseNo: 1, lostLeaseNo: 0 })
}

/** A log of which the first `known` entries are in memory. */
function feedOf(entries: readonly LogEntry[], known: number = entries.length): Feed {
  return {
    head: entries.length,
    scan: (seq) =>
      seq > known
        ? undefined
        : { entries: entries.slice(0, known), index: seq - 1, scannedTo: known },
    entryOf: (seq) => entries[seq - 1],
  }
}

function log(changes: readonly Partial<LogEntry>[]): LogEntry[] {
  return changes.map((change, index) => makeEntry({ seq: index + 1, ...change }))
}

/** The seqs that are left when all others are superseded. */
function collapse(changes: readonly Partial<LogEntry>[]): number[] {
  const entries = log(changes)
  const rows = new RowCollapse(makeSelection())
  expect(rows.lookAhead(stateAt(0), feedOf(entries))).toBeUndefined()
  return entries.filter((entry) => !rows.isSuperseded(entry)).map(({ seq }) => seq)
}

describe('a change of a row', () => {
  test('is superseded by a later one of the same row, and by no other', () => {
    expect(collapse([{ key: '1' }, { key: '2' }, { key: '1' }, { key: '3' }])).toEqual([2, 3, 4])
  })

  test('is not superseded by one that leaves columns out', () => {
    const extra = '"unchanged_columns":["big"]'
    expect(collapse([{ key: '1' }, { key: '1', extra }, { key: '1', extra }])).toEqual([1, 2, 3])
    expect(collapse([{ key: '1' }, { key: '1', extra }, { key: '1' }])).toEqual([3])
  })

  test('is superseded by the one that gives the row another key, which itself is not', () => {
    expect(collapse([{ key: '1' }, { key: '2', oldKey: '1' }, { key: '2' }, { key: '2' }])).toEqual(
      [2, 4],
    )
  })

  test('is not superseded by one that is for another consumer, or not selected', () => {
    expect(collapse([{ key: '1' }, { key: '1', action: 'read', recipientNo: 2 }])).toEqual([1, 2])
    expect(collapse([{ key: '1' }, { key: '1', action: 'read', recipientNo: 1 }])).toEqual([2])
    expect(collapse([{ key: '1' }, { key: '1', action: 'truncate' }])).toEqual([1, 2])
  })

  test('without a key stands for itself', () => {
    expect(collapse([{ key: null }, { key: null }])).toEqual([1, 2])
  })
})

describe('looking ahead', () => {
  test('asks for what is not in memory, and goes on from there', () => {
    const entries = log(Array.from({ length: 20 }, () => ({ key: '1' })))
    const rows = new RowCollapse(makeSelection())
    expect(rows.lookAhead(stateAt(0), feedOf(entries, 12))).toBe(13)
    expect(rows.lookAhead(stateAt(0), feedOf(entries))).toBeUndefined()
    expect(rows.to).toBe(20)
    expect(entries.filter((entry) => !rows.isSuperseded(entry)).map(({ seq }) => seq)).toEqual([20])
  })

  test('ends at a bound of entries, and goes on when half of them are behind', () => {
    const entries = log(Array.from({ length: 30_000 }, (_, index) => ({ key: String(index) })))
    const rows = new RowCollapse(makeSelection())
    const feed = feedOf(entries)
    rows.lookAhead(stateAt(0), feed)
    expect(rows.to).toBe(10_000)
    rows.lookAhead(stateAt(4_999), feed)
    expect(rows.to).toBe(10_000)
    rows.lookAhead(stateAt(5_001), feed)
    expect(rows.to).toBe(15_001)
  })

  test('ends at a bound of bytes, but not before the next change', () => {
    const entries = log(
      Array.from({ length: 40 }, (_, index) => ({ key: String(index), size: 9_000_000 })),
    )
    const rows = new RowCollapse(makeSelection())
    // Each a page of its own.
    const oneByOne: Feed = {
      ...feedOf(entries),
      scan: (seq) => ({ entries: [entries[seq - 1]!], index: 0, scannedTo: seq }),
    }
    rows.lookAhead(stateAt(0), oneByOne)
    expect(rows.to).toBe(2)
    for (let cursor = 1; cursor < 40; cursor++) {
      expect(rows.lookAhead(stateAt(cursor), oneByOne)).toBeUndefined()
      expect(rows.to).toBeGreaterThan(cursor)
      expect(rows.to).toBeLessThanOrEqual(cursor + 3)
    }
  })

  test('begins anew where a seek went back, and knows what waits behind the cursor', () => {
    const entries = log([{ key: '1' }, { key: '2' }, { key: '1' }, { key: '2' }])
    const rows = new RowCollapse(makeSelection())
    rows.lookAhead(stateAt(4), feedOf(entries))
    expect(rows.isSuperseded(entries[0]!)).toBe(false)
    rows.lookAhead(stateAt(0), feedOf(entries))
    expect(entries.map((entry) => rows.isSuperseded(entry))).toEqual([true, true, false, false])

    const state = stateAt(4)
    state.setItemAside(
      {
        seq: 1,
        replayNo: 0,
        group: 1,
        other: 0,
        state: 'waiting',
        attempt: 0,
        lease: null,
        expiresMs: 0,
        dueMs: 0,
        stored: true,
        lastLeaseNo: 0,
        lastNonce: 0,
        expired: false,
      },
      'waiting',
      0,
    )
    const later = new RowCollapse(makeSelection())
    later.lookAhead(state, feedOf(entries))
    expect(later.isSuperseded(entries[0]!)).toBe(true)
  })
})
