import { Heap } from './heap.ts'
import { compareItems, keyOfItem, type Item, type ItemKey, type Lease } from './item.ts'

/** A range of the log that is delivered again beside the cursor. */
export interface Replay {
  readonly replayNo: number
  cursor: number
  readonly to: number
  /** Only messages of this key; null: all. */
  readonly key: string | null
}

/**
 * The state of one consumer's queue as of one version, in memory.
 *
 * Postgres holds the truth. This is what a process works a tick out from; the
 * tick is written with compare-and-set on `version` and `token`, and when that
 * fails this object is thrown away and loaded anew. So it may be changed freely
 * while a tick is worked out: nobody sees it before the tick is stored.
 *
 * A group is busy while a lease holds one of its messages (`holders`) or while
 * some are set aside (`queues`: retrying and waiting, in commit order).
 */
export class QueueState {
  version: number
  token: number
  /** Everything up to this seq was delivered, set aside, or not selected. */
  cursor: number
  nextLeaseNo: number
  /** Leases below this number were taken away by a seek or a purge. */
  lostLeaseNo: number
  readonly replays: Replay[] = []

  /** In the order of their numbers. */
  readonly leases = new Map<number, Lease>()
  readonly holders = new Map<number, Lease>()
  readonly queues = new Map<number, Item[]>()
  readonly setAside = new Map<ItemKey, Item>()
  /** No lease ends before this time; what ended may already be gone. */
  earliestExpiryMs = Number.POSITIVE_INFINITY
  leased = 0
  retrying = 0
  waiting = 0

  /** Candidates for delivery, oldest first. May hold stale ones: see `takeReady`. */
  readonly #ready = new Heap<Item>((item) => item.seq)
  /** Retrying messages by the time they fall due. May hold stale ones. */
  readonly #due = new Heap<Item>((item) => item.dueMs)

  constructor(position: {
    version: number
    token: number
    cursor: number
    nextLeaseNo: number
    lostLeaseNo: number
  }) {
    this.version = position.version
    this.token = position.token
    this.cursor = position.cursor
    this.nextLeaseNo = position.nextLeaseNo
    this.lostLeaseNo = position.lostLeaseNo
  }

  /** Leases below this number are gone. */
  get leaseFloor(): number {
    for (const leaseNo of this.leases.keys()) return leaseNo
    return this.nextLeaseNo
  }

  addLease(lease: Lease): void {
    this.leases.set(lease.leaseNo, lease)
    this.earliestExpiryMs = Math.min(this.earliestExpiryMs, lease.expiresMs)
    for (const item of lease.items) {
      if (item) this.holdItem(lease, item)
    }
  }

  /** Puts an item, already among the lease's, into the lease's hands. */
  holdItem(lease: Lease, item: Item): void {
    item.state = 'leased'
    item.lease = lease
    lease.live += 1
    this.leased += 1
    if (item.group !== 0) {
      if (this.holders.has(item.group)) lease.repeatsGroups = true
      this.holders.set(item.group, lease)
    }
    if (item.other !== 0) {
      if (this.holders.has(item.other)) lease.repeatsGroups = true
      this.holders.set(item.other, lease)
    }
  }

  /** Takes an item out of its lease. The lease goes with its last item. */
  releaseItem(lease: Lease, index: number): Item {
    const item = lease.items[index]!
    lease.items[index] = null
    lease.live -= 1
    this.leased -= 1
    item.state = 'settled'
    item.lease = null
    item.lastLeaseNo = lease.leaseNo
    item.lastNonce = lease.nonce
    if (lease.live === 0) this.leases.delete(lease.leaseNo)
    this.#freeGroup(lease, item.group)
    this.#freeGroup(lease, item.other)
    return item
  }

  #freeGroup(lease: Lease, group: number): void {
    if (group === 0) return
    if (
      lease.repeatsGroups &&
      lease.items.some((item) => item && (item.group === group || item.other === group))
    ) {
      return
    }
    this.holders.delete(group)
    const head = this.queues.get(group)?.[0]
    if (head) this.#ready.push(head)
  }

  /** Sets an item aside as retrying or waiting. */
  setItemAside(item: Item, state: 'retrying' | 'waiting', dueMs: number): void {
    item.state = state
    item.dueMs = dueMs
    this.setAside.set(keyOfItem(item.seq, item.replayNo), item)
    if (state === 'retrying') this.retrying += 1
    else this.waiting += 1
    this.#enqueue(item.group, item)
    this.#enqueue(item.other, item)
    if (dueMs > 0) this.#due.push(item)
    else this.#ready.push(item)
  }

  /** Takes an item that is set aside out again; its groups' next ones come up. */
  takeItemBack(item: Item): void {
    if (item.state === 'retrying') this.retrying -= 1
    else this.waiting -= 1
    item.state = 'settled'
    this.setAside.delete(keyOfItem(item.seq, item.replayNo))
    this.#dequeue(item.group, item)
    this.#dequeue(item.other, item)
  }

  #enqueue(group: number, item: Item): void {
    if (group === 0) return
    const queue = this.queues.get(group)
    if (!queue) {
      this.queues.set(group, [item])
      return
    }
    let index = queue.length
    while (index > 0 && compareItems(queue[index - 1]!, item) > 0) index -= 1
    if (index === queue.length) queue.push(item)
    else queue.splice(index, 0, item)
  }

  #dequeue(group: number, item: Item): void {
    if (group === 0) return
    const queue = this.queues.get(group)!
    const index = queue.indexOf(item)
    if (index === 0) queue.shift()
    else queue.splice(index, 1)
    if (queue.length === 0) this.queues.delete(group)
    else if (index === 0) this.#ready.push(queue[0]!)
  }

  /**
   * The oldest item that may go into `lease` now: due, first of its groups, and
   * its groups held by nobody else. It stays set aside until `takeItemBack`.
   *
   * What is popped and not deliverable is dropped here, because whatever makes it
   * deliverable later (its group freed, the one before it gone, its time) puts
   * it up again.
   */
  nextReady(lease: Lease, nowMs: number): Item | undefined {
    while (this.#due.firstRank <= nowMs) {
      const due = this.#due.pop()!
      if (due.state === 'retrying') this.#ready.push(due)
    }
    for (let item = this.#ready.pop(); item; item = this.#ready.pop()) {
      if (item.state !== 'retrying' && item.state !== 'waiting') continue
      if (item.dueMs > nowMs) {
        this.#due.push(item)
        continue
      }
      if (this.#isFree(item, item.group, lease) && this.#isFree(item, item.other, lease)) {
        return item
      }
    }
    return undefined
  }

  /** Puts an item that `nextReady` gave out up again. */
  putReady(item: Item): void {
    this.#ready.push(item)
  }

  /** Whether a message fresh from the log would overtake or run beside another of its group. */
  isGroupBusy(group: number, lease: Lease): boolean {
    if (group === 0) return false
    if (this.queues.has(group)) return true
    const holder = this.holders.get(group)
    return holder !== undefined && holder !== lease
  }

  #isFree(item: Item, group: number, lease: Lease): boolean {
    if (group === 0) return true
    if (this.queues.get(group)?.[0] !== item) return false
    const holder = this.holders.get(group)
    return holder === undefined || holder === lease
  }

  /** Leases of which some message's time is over; walks over all only when there can be one. */
  listExpired(nowMs: number): Lease[] {
    if (this.earliestExpiryMs > nowMs) return []
    const expired: Lease[] = []
    let earliest = Number.POSITIVE_INFINITY
    for (const lease of this.leases.values()) {
      if (lease.expiresMs <= nowMs) expired.push(lease)
      else earliest = Math.min(earliest, lease.expiresMs)
    }
    // With some left to expire the bound stays in the past, so that the rest is found next time.
    if (expired.length === 0) this.earliestExpiryMs = earliest
    return expired
  }

  /** When the next lease may end or the next retry falls due; Infinity: never. */
  nextEventMs(): number {
    for (let due = this.#due.peek(); due; due = this.#due.peek()) {
      // One that was put off since was pushed once more.
      const isStale = due.state !== 'retrying' || due.dueMs !== this.#due.firstRank
      if (!isStale) return Math.min(this.earliestExpiryMs, due.dueMs)
      this.#due.pop()
    }
    return this.earliestExpiryMs
  }

  /** Whether something may be put up for delivery besides what the log holds. */
  get hasReady(): boolean {
    return this.#ready.size > 0
  }
}
