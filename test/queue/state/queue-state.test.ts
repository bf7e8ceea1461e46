import { expect, test } from 'vitest'

import type { Item, Lease } from '../../../src/queue/state/item.ts'
import { QueueState } from '../../../src/queue/state/queue-state.ts'

function makeItem(seq: number): Item {
  return {
    seq,
    replayNo: 0,
    group: 0,
    other: 0,
    state: 'settled',
    attempt: 1,
    lease: null,
    expiresMs: 0,
    dueMs: 0,
    stored: true,
    lastLeaseNo: 1,
    lastNonce: 1,
    expired: false,
  }
}

test('a message that is put off once more does not hold up those that fall due before it', () => {
  const state = new QueueState({
    version: 1,
    token: 1,
    cursor: 10,
    nextLeaseNo: 2,
    lostLeaseNo: 0,
  })
  const [late, next] = [makeItem(1), makeItem(2)]
  // Its lease ran out, so it was due at once; then its owner did say for how long to wait.
  state.setItemAside(late, 'retrying', 100)
  state.setItemAside(next, 'retrying', 200)
  state.takeItemBack(late)
  state.setItemAside(late, 'retrying', 900_000)

  expect(state.nextEventMs()).toBe(200)
  const lease = { leaseNo: 2 } as Lease
  expect(state.nextReady(lease, 199)).toBeUndefined()
  expect(state.nextReady(lease, 200)).toBe(next)
  state.takeItemBack(next)
  expect(state.nextEventMs()).toBe(900_000)
  expect(state.nextReady(lease, 900_000)).toBe(late)
})
