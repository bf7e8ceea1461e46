import { retryDelayMs } from '../retry-policy.ts'
import type { Item, Lease } from './item.ts'
import type { QueueState } from './queue-state.ts'
import type { ItemEvent, Tick } from './tick.ts'

/** A tick stays small enough to be written in milliseconds; the rest is for the next. */
const EXPIRED_PER_TICK_MAX = 2000

/**
 * Turns messages whose lease ran out into retrying ones, or dead ones after
 * their last delivery. Answers whether some were left for another tick.
 */
export function expireLeases(
  state: QueueState,
  tick: Tick,
  options: { nowMs: number; maxDeliveries: number | null },
): boolean {
  let count = 0
  for (const lease of state.listExpired(options.nowMs)) {
    if (count >= EXPIRED_PER_TICK_MAX) return true
    count += expireLease(state, tick, lease, options)
  }
  return false
}

function expireLease(
  state: QueueState,
  tick: Tick,
  lease: Lease,
  options: { nowMs: number; maxDeliveries: number | null },
): number {
  let count = 0
  let earliest = Number.POSITIVE_INFINITY
  for (const [index, item] of lease.items.entries()) {
    if (!item) continue
    if (item.expiresMs > options.nowMs) {
      earliest = Math.min(earliest, item.expiresMs)
      continue
    }
    state.releaseItem(lease, index)
    retryItem(state, tick, item, {
      ...options,
      outcome: 'expired',
      reason: 'The visibility timeout ran out before the message was settled.',
      delayMs: retryDelayMs(item.attempt),
      worker: lease.worker,
    })
    count += 1
  }
  lease.expiresMs = earliest
  tick.touchedLeases.add(lease)
  tick.counts.expired += count
  return count
}

/** Sets a released item aside for its next delivery, or as dead if this was its last. */
export function retryItem(
  state: QueueState,
  tick: Tick,
  item: Item,
  options: {
    nowMs: number
    maxDeliveries: number | null
    outcome: 'expired' | 'nacked' | 'given_back'
    delayMs: number
    reason?: string | undefined
    worker?: string | null
  },
): void {
  const { outcome, reason } = options
  const event = {
    attempt: item.attempt,
    outcome,
    ...(reason === undefined ? {} : { reason }),
    ...(options.worker ? { worker: options.worker } : {}),
  }
  tick.frees = true
  if (options.maxDeliveries !== null && item.attempt >= options.maxDeliveries) {
    killItem(tick, item, reason ?? `It was delivered ${item.attempt} times, the most allowed.`, {
      ...event,
      outcome: 'dead',
    })
    return
  }
  item.expired = outcome === 'expired'
  state.setItemAside(item, 'retrying', options.nowMs + options.delayMs)
  tick.putDelivery(item, 'retrying', {
    delayMs: options.delayMs,
    reason,
    expired: item.expired,
    event,
    leaseNo: item.lastLeaseNo,
    nonce: item.lastNonce,
  })
}

/** Makes a released item a dead letter: it waits for an operator and blocks nobody. */
export function killItem(
  tick: Tick,
  item: Item,
  reason: string | undefined,
  event: ItemEvent,
): void {
  item.state = 'settled'
  tick.frees = true
  tick.counts.dead += 1
  tick.putDelivery(item, 'dead', {
    reason,
    leaseNo: item.lastLeaseNo,
    nonce: item.lastNonce,
    event,
  })
}
