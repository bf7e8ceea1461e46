/**
 * A message that the cursor has passed and that is not settled.
 *
 *   leased    a lease holds it
 *   retrying  nacked, expired, given back or redriven; due at `dueMs`
 *   waiting   its group is busy; never delivered so far
 *   settled   acked or dead; the object is only waiting to be forgotten
 */
export interface Item {
  readonly seq: number
  /** 0: the first pass of the cursor; otherwise the replay that brought it again. */
  readonly replayNo: number
  /** Hash of its ordering group; 0: none. */
  readonly group: number
  /** The second group of a message whose key changed; 0: none. */
  readonly other: number
  state: 'leased' | 'retrying' | 'waiting' | 'settled'
  /** Deliveries that counted so far, this one included while leased. */
  attempt: number
  lease: Lease | null
  /** When its lease ends, in ms of the storage's clock. */
  expiresMs: number
  /** When it may be delivered again. */
  dueMs: number
  /** Whether it has a row in `delivery`. */
  stored: boolean
  /** The lease that held it last, for settlements that come late. */
  lastLeaseNo: number
  lastNonce: number
  /** Whether that lease ran out: then a late settlement still counts. */
  expired: boolean
}

/** What one receive call holds. */
export interface Lease {
  readonly leaseNo: number
  readonly nonce: number
  readonly worker: string | null
  leasedMs: number
  /** Commit time of its oldest message, in ms; 0: another process made it. */
  committedMs: number
  /** The earliest end among its items. */
  expiresMs: number
  /** Settled items leave a hole, so that the ordinals in ack ids stay true. */
  readonly items: (Item | null)[]
  /** Items that are not settled. */
  live: number
  /** Whether a group has several items here. */
  repeatsGroups: boolean
}

export type ItemKey = number | string

/** Identifies a message of a consumer, replays apart. */
export function keyOfItem(seq: number, replayNo: number): ItemKey {
  return replayNo === 0 ? seq : `${seq}/${replayNo}`
}

/** Commit order; a replay comes after the original. */
export function compareItems(a: Item, b: Item): number {
  return a.seq - b.seq || a.replayNo - b.replayNo
}
