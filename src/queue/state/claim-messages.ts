import { randomInt } from 'node:crypto'

import type { LogEntry } from '../../log/entry.ts'
import type { Selection } from '../selection/select-changes.ts'
import { killItem } from './expire-leases.ts'
import type { Item, Lease } from './item.ts'
import type { QueueState, Replay } from './queue-state.ts'
import type { RowCollapse } from './row-collapse.ts'
import type { Tick } from './tick.ts'

/** Messages waiting behind their groups at most; past it the cursor waits. */
const WAITING_MAX = 10_000

/** Waiting and retrying ones together: past it nothing new is delivered until some are settled. */
const SET_ASIDE_MAX = 100_000

/** Entries looked at in one claim at most, so that a tick stays short. */
const SCAN_MAX = 10_000

/** Redriven messages on which the filter had failed: so many are judged anew in one claim. */
const JUDGED_MAX = 2000

/** What a message's envelope adds to its record, about. */
export const ENVELOPE_BYTES = 500

const NONCE_MAX = 2 ** 48 - 1

/** The log, as far as it is in memory. */
export interface Feed {
  /** The newest seq there is. */
  readonly head: number
  /**
   * Entries from `seq` on that are in memory: `entries[index]` is the first whose
   * seq is at least `seq`, and nothing selected lies between. `scannedTo` is how
   * far these entries reach. Undefined: they must be loaded first.
   */
  scan(seq: number): { entries: readonly LogEntry[]; index: number; scannedTo: number } | undefined
  /** One entry; undefined: not in memory. */
  entryOf(seq: number): LogEntry | undefined
}

export interface ClaimRequest {
  batchSize: number
  maxBytes: number
  visibilityTimeoutMs: number
  worker: string | null
}

interface ClaimOptions {
  nowMs: number
  maxInFlight: number
  selection: Selection
  /** Of a consumer of the kind `rows`; null: every change is delivered. */
  collapse: RowCollapse | null
}

export interface Claim {
  lease: Lease
  /** Parallel to the lease's items. */
  entries: LogEntry[]
}

/** What a claim found missing in memory; the caller loads it and claims again. */
export interface Missing {
  /** Messages set aside whose entries are wanted. */
  seqs: Set<number>
  /** Where the log must be read from. */
  pages: Set<number>
}

/** Why a claim took less than was asked for. */
export interface Shortage {
  inFlight: boolean
  setAside: boolean
  /** The scan stopped at its limit; there may be more. */
  more: boolean
}

/**
 * Leases messages for one request: first what is due again, oldest first, then
 * replays, then what the log holds past the cursor. What is selected but may
 * not be delivered now, because its group is busy, is set aside.
 *
 * Answers undefined when there is nothing to deliver.
 */
export function claimMessages(
  state: QueueState,
  tick: Tick,
  feed: Feed,
  request: ClaimRequest,
  options: ClaimOptions,
  missing: Missing,
  shortage: Shortage,
): Claim | undefined {
  const unread = options.collapse?.lookAhead(state, feed)
  if (unread !== undefined) {
    missing.pages.add(unread)
    return undefined
  }
  const lease: Lease = {
    leaseNo: state.nextLeaseNo,
    nonce: randomInt(NONCE_MAX),
    worker: request.worker,
    leasedMs: options.nowMs,
    committedMs: 0,
    expiresMs: options.nowMs + request.visibilityTimeoutMs,
    items: [],
    live: 0,
    repeatsGroups: false,
  }
  const claim = new ClaimInProgress(state, tick, feed, request, options, missing, shortage, lease)
  claim.takeSetAside()
  if (state.setAside.size >= SET_ASIDE_MAX) shortage.setAside = true
  else {
    for (const replay of state.replays) claim.takeReplay(replay)
    claim.takeFresh()
  }
  if (lease.items.length === 0) return undefined

  state.nextLeaseNo += 1
  lease.committedMs = claim.entries[0]!.committedAtUs / 1000
  state.leases.set(lease.leaseNo, lease)
  state.earliestExpiryMs = Math.min(state.earliestExpiryMs, lease.expiresMs)
  tick.newLeases.push({ lease, visibilityTimeoutMs: request.visibilityTimeoutMs })
  tick.counts.delivered += lease.items.length
  return { lease, entries: claim.entries }
}

class ClaimInProgress {
  readonly entries: LogEntry[] = []
  readonly #state: QueueState
  readonly #tick: Tick
  readonly #feed: Feed
  readonly #request: ClaimRequest
  readonly #options: ClaimOptions
  readonly #missing: Missing
  readonly #shortage: Shortage
  readonly #lease: Lease
  #bytes = 0
  #full = false

  constructor(
    state: QueueState,
    tick: Tick,
    feed: Feed,
    request: ClaimRequest,
    options: ClaimOptions,
    missing: Missing,
    shortage: Shortage,
    lease: Lease,
  ) {
    this.#state = state
    this.#tick = tick
    this.#feed = feed
    this.#request = request
    this.#options = options
    this.#missing = missing
    this.#shortage = shortage
    this.#lease = lease
  }

  /** Whether the lease can take a message of this size; one message always fits. */
  #hasRoom(size: number): boolean {
    if (this.#full) return false
    const { items } = this.#lease
    if (this.#state.leased >= this.#options.maxInFlight) {
      this.#shortage.inFlight = true
      this.#full = true
    } else if (
      items.length >= this.#request.batchSize ||
      (items.length > 0 && this.#bytes + size + ENVELOPE_BYTES > this.#request.maxBytes)
    ) {
      this.#full = true
    }
    return !this.#full
  }

  #take(item: Item, entry: LogEntry): void {
    item.attempt += 1
    item.expiresMs = this.#lease.expiresMs
    this.#lease.items.push(item)
    this.#state.holdItem(this.#lease, item)
    this.entries.push(entry)
    this.#bytes += entry.size + ENVELOPE_BYTES
  }

  takeSetAside(): void {
    const unread: Item[] = []
    let judged = 0
    while (unread.length < this.#request.batchSize && this.#hasRoom(0)) {
      const item = this.#state.nextReady(this.#lease, this.#options.nowMs)
      if (!item) break
      const entry = this.#feed.entryOf(item.seq)
      if (!entry) {
        unread.push(item)
        this.#wantQueueOf(item)
        continue
      }
      if (judged >= JUDGED_MAX || !this.#hasRoom(entry.size)) {
        if (judged >= JUDGED_MAX) this.#shortage.more = true
        this.#state.putReady(item)
        break
      }
      if (item.state === 'retrying' && item.lastLeaseNo === 0) {
        judged += 1
        if (!this.#passesFilter(item, entry)) continue
      }
      const wasWaiting = item.state === 'waiting'
      if (wasWaiting && item.replayNo === 0 && this.#options.collapse?.isSuperseded(entry)) {
        this.#dropWaiting(item)
        continue
      }
      this.#state.takeItemBack(item)
      this.#take(item, entry)
      if (wasWaiting) this.#tick.dropDelivery(item)
      else {
        this.#tick.putDelivery(item, 'leased', {
          leaseNo: this.#lease.leaseNo,
          nonce: this.#lease.nonce,
        })
      }
    }
    for (const item of unread) this.#state.putReady(item)
  }

  /**
   * What is redriven and was in no lease died of its filter, which is asked once more: it
   * may have been mended. Answers whether the message is to be delivered.
   */
  #passesFilter(item: Item, entry: LogEntry): boolean {
    const verdict = this.#options.selection.matches(entry)
    if (verdict === true) return true
    this.#state.takeItemBack(item)
    // Not selected after all: as if the cursor passed it now.
    if (verdict === false) this.#tick.dropDelivery(item)
    else killFailed(this.#tick, item, verdict.failed)
    return false
  }

  /** A newer change of its row comes in its place. */
  #dropWaiting(item: Item): void {
    this.#state.takeItemBack(item)
    this.#tick.dropDelivery(item)
  }

  /** An item's entry is wanted, and those that will follow it into the same lease. */
  #wantQueueOf(item: Item): void {
    this.#missing.seqs.add(item.seq)
    const queue = this.#state.queues.get(item.group)
    if (!queue) return
    for (const next of queue.slice(0, this.#request.batchSize)) this.#missing.seqs.add(next.seq)
  }

  takeReplay(replay: Replay): void {
    const scan = { cursor: replay.cursor, to: Math.min(replay.to, this.#feed.head) }
    this.#scan(scan, (entry) =>
      replay.key !== null && entry.key !== replay.key
        ? true
        : this.#deliverEntry(entry, replay.replayNo),
    )
    if (scan.cursor !== replay.cursor) {
      replay.cursor = scan.cursor
      this.#tick.movedReplays.add(replay)
    }
  }

  takeFresh(): void {
    const { head } = this.#feed
    const to = Math.min(head, this.#options.collapse?.to ?? head)
    const scan = { cursor: this.#state.cursor, to }
    this.#scan(scan, (entry) => this.#deliverEntry(entry, 0))
    this.#state.cursor = scan.cursor
    if (to < head && scan.cursor === to && this.#hasRoom(0)) this.#shortage.more = true
  }

  /** Walks over the log until `deliver` answers false: then the entry stays ahead. */
  #scan(position: { cursor: number; to: number }, deliver: (entry: LogEntry) => boolean): void {
    let looked = 0
    while (position.cursor < position.to && this.#hasRoom(0)) {
      const found = this.#feed.scan(position.cursor + 1)
      if (!found) {
        this.#missing.pages.add(position.cursor + 1)
        return
      }
      const { entries } = found
      for (let index = found.index; index < entries.length; index += 1) {
        const entry = entries[index]!
        if (entry.seq > position.to) break
        if (looked >= SCAN_MAX) {
          this.#shortage.more = true
          return
        }
        if (!deliver(entry)) return
        looked += 1
        position.cursor = entry.seq
      }
      position.cursor = Math.max(position.cursor, Math.min(found.scannedTo, position.to))
    }
  }

  /** Takes the entry, sets it aside or passes over it; false: it must stay ahead of the cursor. */
  #deliverEntry(entry: LogEntry, replayNo: number): boolean {
    const { selection } = this.#options
    if (!selection.selectsRelation(entry.relation)) return true
    const verdict = selection.matches(entry)
    if (verdict === false) return true

    const group = selection.groupHash(entry)
    const other = selection.otherGroupHash(entry)
    if (verdict !== true) {
      killFailed(this.#tick, makeItem(entry, replayNo, group, other), verdict.failed)
      return true
    }
    const { collapse } = this.#options
    if (collapse !== null && replayNo === 0 && collapse.isSuperseded(entry)) return true
    const busy =
      this.#state.isGroupBusy(group, this.#lease) || this.#state.isGroupBusy(other, this.#lease)
    if (busy) {
      if (this.#state.waiting >= WAITING_MAX) {
        this.#shortage.setAside = true
        this.#full = true
        return false
      }
      const item = makeItem(entry, replayNo, group, other)
      this.#state.setItemAside(item, 'waiting', 0)
      this.#tick.putDelivery(item, 'waiting')
      const former = replayNo === 0 ? collapse?.replaceWaiting(item, entry, this.#state) : undefined
      if (former) this.#dropWaiting(former)
      return true
    }
    if (!this.#hasRoom(entry.size)) return false
    this.#take(makeItem(entry, replayNo, group, other), entry)
    return true
  }
}

/** The filter could not tell whether the message is selected: it is kept, with the reason. */
function killFailed(tick: Tick, item: Item, reason: string): void {
  killItem(tick, item, reason, { attempt: item.attempt, outcome: 'filter_failed', reason })
}

function makeItem(entry: LogEntry, replayNo: number, group: number, other: number): Item {
  return {
    seq: entry.seq,
    replayNo,
    group,
    other,
    state: 'waiting',
    attempt: 0,
    lease: null,
    expiresMs: 0,
    dueMs: 0,
    stored: false,
    lastLeaseNo: 0,
    lastNonce: 0,
    expired: false,
  }
}
