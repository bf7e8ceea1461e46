import { keyOfItem, type Item, type ItemKey, type Lease } from './item.ts'
import type { Replay } from './queue-state.ts'

/** What happened to a message off the happy path, kept in its history. */
export interface ItemEvent {
  attempt: number
  outcome: 'nacked' | 'expired' | 'given_back' | 'dead' | 'acked' | 'filter_failed'
  reason?: string
  worker?: string
}

/** A row of `delivery` to write; times are relative to the tick. */
export interface DeliveryRow {
  seq: number
  replay_no: number
  state: 'waiting' | 'retrying' | 'leased' | 'dead' | 'acked'
  attempt: number
  group_hash: number
  other_group_hash: number
  delay_ms: number | null
  lease_no: number | null
  nonce: number | null
  expired: boolean
  reason: string | null
  event: ItemEvent | null
}

/** Counts of what a tick did, for metrics. */
export interface TickCounts {
  delivered: number
  acked: number
  nacked: number
  dead: number
  expired: number
}

/** What one tick changes; gathered while it is worked out, written at once. */
export class Tick {
  readonly newLeases: { lease: Lease; visibilityTimeoutMs: number }[] = []
  readonly touchedLeases = new Set<Lease>()
  readonly deliveries = new Map<ItemKey, DeliveryRow>()
  readonly droppedDeliveries = new Map<ItemKey, Item>()
  readonly movedReplays = new Set<Replay>()
  /** What was acked, and beside each the lease it was in; null: its lease had run out. */
  readonly ackedItems: Item[] = []
  readonly ackedLeases: (Lease | null)[] = []
  /** Whether somebody was promised that it survives a crash. */
  durable = false
  /** Whether other processes may now deliver something they could not before. */
  frees = false
  readonly counts: TickCounts = { delivered: 0, acked: 0, nacked: 0, dead: 0, expired: 0 }

  /** Whether there is anything to write, a moved cursor apart. */
  get isEmpty(): boolean {
    return (
      this.newLeases.length === 0 &&
      this.touchedLeases.size === 0 &&
      this.deliveries.size === 0 &&
      this.droppedDeliveries.size === 0 &&
      this.movedReplays.size === 0
    )
  }

  putDelivery(
    item: Item,
    state: DeliveryRow['state'],
    more: {
      delayMs?: number
      reason?: string | undefined
      expired?: boolean
      event?: ItemEvent
      leaseNo?: number
      nonce?: number
    } = {},
  ): void {
    const key = keyOfItem(item.seq, item.replayNo)
    const earlier = this.deliveries.get(key)
    this.droppedDeliveries.delete(key)
    this.deliveries.set(key, {
      seq: item.seq,
      replay_no: item.replayNo,
      state,
      attempt: item.attempt,
      group_hash: item.group,
      other_group_hash: item.other,
      delay_ms: more.delayMs ?? null,
      lease_no: more.leaseNo ?? null,
      nonce: more.nonce ?? null,
      expired: more.expired ?? false,
      // Within one tick a message can be nacked and leased again: both leave their mark.
      reason: more.reason ?? earlier?.reason ?? null,
      event: more.event ?? earlier?.event ?? null,
    })
    item.stored = true
  }

  dropDelivery(item: Item): void {
    const key = keyOfItem(item.seq, item.replayNo)
    this.deliveries.delete(key)
    this.droppedDeliveries.set(key, item)
    item.stored = false
  }
}
