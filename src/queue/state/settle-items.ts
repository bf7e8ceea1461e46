import type { Settlement, SettlementResult } from '../queue-service.ts'
import type { AckId } from '../ack-id.ts'
import { retryDelayMs } from '../retry-policy.ts'
import { killItem, retryItem } from './expire-leases.ts'
import { keyOfItem, type Item, type Lease } from './item.ts'
import type { QueueState } from './queue-state.ts'
import type { Tick } from './tick.ts'

/** An id can be extended for so long in total, counted from its delivery. */
const LEASE_MS_MAX = 12 * 60 * 60 * 1000

/** What `delivery` says of a message whose lease is gone. */
export interface DeliveryTrace {
  state: 'waiting' | 'retrying' | 'leased' | 'dead' | 'acked'
  leaseNo: number | null
  nonce: number | null
  attempt: number
}

interface SettleOptions {
  nowMs: number
  maxDeliveries: number | null
  /** Traces of the messages that `needsTrace` named, by `keyOfItem`. */
  traces: ReadonlyMap<number | string, DeliveryTrace>
}

/** Where a settlement's message is now, as far as memory tells. */
type Place =
  | { at: 'lease'; lease: Lease; index: number; item: Item }
  /** Its lease ran out and nobody else got it. */
  | { at: 'set_aside'; item: Item }
  | { at: 'elsewhere' }

/** Whether the answer to this id depends on what `delivery` keeps of its message. */
export function needsTrace(state: QueueState, id: AckId): boolean {
  return findPlace(state, id).at === 'elsewhere'
}

/**
 * Applies one settlement.
 *
 *   the lease lives             → done as asked
 *   ran out, not leased again   → done as asked, except extend
 *   settled by the same id      → `already_acked` (or as before)
 *   anything else               → `lease_lost`, nothing changed
 */
export function settleItem(
  state: QueueState,
  tick: Tick,
  settlement: Settlement,
  id: AckId,
  options: SettleOptions,
): SettlementResult {
  const place = findPlace(state, id)
  if (place.at === 'elsewhere') return answerGone(state, settlement, id, options)

  if (settlement.kind === 'extend') {
    if (place.at === 'set_aside') {
      return lost(settlement, 'The lease ran out; the message is due again.')
    }
    return extendItem(state, tick, settlement, place, options.nowMs)
  }

  tick.durable = true
  const worker = place.at === 'lease' ? place.lease.worker : null
  const { item } = place
  if (place.at === 'lease') {
    state.releaseItem(place.lease, place.index)
    tick.touchedLeases.add(place.lease)
  } else {
    state.takeItemBack(item)
  }
  // What a group's next message waits for has happened; a full consumer has room again.
  tick.frees = true

  switch (settlement.kind) {
    case 'ack':
      if (item.stored) {
        tick.putDelivery(item, 'acked', {
          leaseNo: item.lastLeaseNo,
          nonce: item.lastNonce,
          event: { attempt: item.attempt, outcome: 'acked', ...(worker ? { worker } : {}) },
        })
      }
      tick.counts.acked += 1
      tick.ackedItems.push(item)
      tick.ackedLeases.push(place.at === 'lease' ? place.lease : null)
      return { ackId: settlement.ackId, status: 'acked' }
    case 'dead_letter':
      killItem(tick, item, settlement.reason, {
        attempt: item.attempt,
        outcome: 'dead',
        ...(settlement.reason === undefined ? {} : { reason: settlement.reason }),
        ...(worker ? { worker } : {}),
      })
      return { ackId: settlement.ackId, status: 'dead_lettered' }
    default: {
      const delayMs = settlement.delayMs ?? retryDelayMs(item.attempt)
      if (settlement.countAttempt === false) item.attempt -= 1
      tick.counts.nacked += 1
      retryItem(state, tick, item, {
        nowMs: options.nowMs,
        maxDeliveries: options.maxDeliveries,
        outcome: 'nacked',
        delayMs,
        reason: settlement.reason,
        worker,
      })
      // Its last delivery: the caller learns that there will be none after it.
      if (!state.setAside.has(keyOfItem(item.seq, item.replayNo))) {
        return { ackId: settlement.ackId, status: 'dead_lettered' }
      }
      return {
        ackId: settlement.ackId,
        status: 'nacked',
        visibleAt: new Date(item.dueMs).toISOString(),
      }
    }
  }
}

/** Gives all of a lease back, as if it had never been received; also what ran out meanwhile. */
export function giveLeaseBack(
  state: QueueState,
  tick: Tick,
  { leaseNo, nonce }: { leaseNo: number; nonce: number },
  nowMs: number,
): void {
  const items = [...state.setAside.values()].filter(
    (item) => item.expired && item.lastLeaseNo === leaseNo && item.lastNonce === nonce,
  )
  for (const item of items) state.takeItemBack(item)

  const lease = state.leases.get(leaseNo)
  if (lease?.nonce === nonce) {
    for (const [index, item] of lease.items.entries()) {
      if (item) items.push(state.releaseItem(lease, index))
    }
    tick.touchedLeases.add(lease)
  }
  for (const item of items) {
    item.attempt -= 1
    retryItem(state, tick, item, {
      nowMs,
      maxDeliveries: null,
      outcome: 'given_back',
      delayMs: 0,
      worker: lease?.worker ?? null,
    })
  }
}

function findPlace(state: QueueState, id: AckId): Place {
  const lease = state.leases.get(id.leaseNo)
  if (lease?.nonce === id.nonce) {
    const index = findIndex(lease, id)
    const item = lease.items[index]
    if (item) return { at: 'lease', lease, index, item }
  }
  const item = state.setAside.get(keyOfItem(id.seq, id.replayNo))
  if (item?.expired && item.lastLeaseNo === id.leaseNo && item.lastNonce === id.nonce) {
    return { at: 'set_aside', item }
  }
  return { at: 'elsewhere' }
}

/** The ordinal is true in the process that made the lease; one that loaded it has closed the holes. */
function findIndex(lease: Lease, id: AckId): number {
  const named = lease.items[id.ordinal]
  if (named?.seq === id.seq && named.replayNo === id.replayNo) return id.ordinal
  return lease.items.findIndex((item) => item?.seq === id.seq && item.replayNo === id.replayNo)
}

function extendItem(
  state: QueueState,
  tick: Tick,
  settlement: Extract<Settlement, { kind: 'extend' }>,
  place: Extract<Place, { at: 'lease' }>,
  nowMs: number,
): SettlementResult {
  const { lease, item } = place
  const until = Math.min(nowMs + settlement.visibilityTimeoutMs, lease.leasedMs + LEASE_MS_MAX)
  if (until <= nowMs) return lost(settlement, 'A lease ends 12 hours after the delivery.')
  item.expiresMs = until
  // The bound may lie before the true earliest end: a look at that time puts it right.
  lease.expiresMs = Math.min(lease.live === 1 ? until : lease.expiresMs, until)
  state.earliestExpiryMs = Math.min(state.earliestExpiryMs, lease.expiresMs)
  tick.touchedLeases.add(lease)
  tick.durable = true
  return {
    ackId: settlement.ackId,
    status: 'extended',
    leaseExpiresAt: new Date(until).toISOString(),
  }
}

function answerGone(
  state: QueueState,
  settlement: Settlement,
  id: AckId,
  options: SettleOptions,
): SettlementResult {
  const { ackId } = settlement
  if (id.leaseNo < state.lostLeaseNo) {
    return lost(settlement, 'A seek or a purge took the lease away.')
  }
  if (id.leaseNo >= state.nextLeaseNo) {
    return lost(settlement, 'There is no such lease; the message will be delivered again.')
  }
  const trace = options.traces.get(keyOfItem(id.seq, id.replayNo))
  if (!trace) {
    // A message that was passed, and of which nothing is kept, was acked on its first delivery.
    if (id.replayNo === 0 && id.seq > state.cursor) {
      return lost(settlement, 'The message lies ahead of the cursor.')
    }
    return settlement.kind === 'extend'
      ? lost(settlement, 'The message is settled.')
      : { ackId, status: 'already_acked' }
  }
  const mine = trace.leaseNo === id.leaseNo && trace.nonce === id.nonce
  if (trace.state === 'acked' && mine && settlement.kind !== 'extend') {
    return { ackId, status: 'already_acked' }
  }
  if (trace.state === 'dead' && mine && settlement.kind === 'dead_letter') {
    return { ackId, status: 'dead_lettered' }
  }
  switch (trace.state) {
    case 'acked':
      return lost(settlement, 'The message is settled.')
    case 'dead':
      return lost(settlement, 'The message is dead.')
    case 'leased':
      return lost(settlement, `The message was delivered again, as attempt ${trace.attempt}.`)
    default:
      return lost(settlement, 'The message was given up before and is due again.')
  }
}

function lost(settlement: Settlement, detail: string): SettlementResult {
  return { ackId: settlement.ackId, status: 'lease_lost', detail }
}
