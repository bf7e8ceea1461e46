import { performance } from 'node:perf_hooks'

import type pg from 'pg'

import { MillraceError } from '../errors.ts'
import type { StorageClock } from '../storage/storage-clock.ts'
import { parseAckId, type AckId } from './ack-id.ts'
import { commitTick } from './commit-tick.ts'
import type { Consumer } from './consumer.ts'
import type { ConsumerFeed } from './consumer-feed.ts'
import { makeMessages, type MessageContext } from './leased-message.ts'
import { loadQueue } from './load-queue.ts'
import { loadTraces } from './load-traces.ts'
import type {
  LimitedBy,
  Received,
  ReceiveOptions,
  Settlement,
  SettlementResult,
} from './queue-service.ts'
import { claimMessages, type Claim, type Missing, type Shortage } from './state/claim-messages.ts'
import { expireLeases } from './state/expire-leases.ts'
import type { ItemKey } from './state/item.ts'
import type { RowCollapse } from './state/row-collapse.ts'
import type { QueueState } from './state/queue-state.ts'
import { giveLeaseBack, needsTrace, settleItem, type DeliveryTrace } from './state/settle-items.ts'
import { Tick, type TickCounts } from './state/tick.ts'
import { Waiter } from './waiter.ts'

/** Settlements applied in one tick at most; the rest is for the next. */
const SETTLEMENTS_PER_TICK_MAX = 20_000
/** A cursor that moves over what is not selected is stored now and then only. */
const CURSOR_LAG_MAX = 10_000
/** With other processes about, a state this old is checked before a caller is left waiting. */
const UNCHECKED_MS_MAX = 1000
const TIMER_MS_MAX = 2 ** 31 - 1
/** A tick that loses this often in a row has found a bug, not a rival. */
const STALE_IN_A_ROW_MAX = 100

interface PendingSettlement {
  settlements: readonly Settlement[]
  ids: readonly AckId[]
  /** The state was read anew for it: a lease that is still unknown does not exist. */
  isChecked: boolean
  resolve: (results: SettlementResult[]) => void
  reject: (error: unknown) => void
}

interface PendingReturn {
  leaseNo: number
  nonce: number
  resolve: () => void
}

/** What the dispatcher needs to know of its consumer; replaced when the settings change. */
export interface DispatcherSettings {
  consumer: Consumer
  context: MessageContext
  feed: ConsumerFeed
  /** Of a consumer of the kind `rows`, else null. */
  collapse: RowCollapse | null
}

export interface DispatcherOptions {
  pool: pg.Pool
  clock: StorageClock
  settings: DispatcherSettings
  /** Reads the consumer's settings anew; undefined: it is gone. */
  reloadSettings: () => Promise<DispatcherSettings | undefined>
  /** Whether other processes serve this storage. */
  hasPeers: () => boolean
  /** Something may be deliverable that was not; others may wait for it. */
  onFreed: () => void
  onTick: (counts: TickCounts, leaseLost: number) => void
  /** A tick with leases or acks is stored. */
  onStored: (tick: StoredTick, clockMs: number) => void
  /** Messages whose changes the log does not hold any more were dropped. */
  onGone: (seqs: readonly number[]) => void
}

/** What is told of a tick besides its counts. */
export type StoredTick = Pick<Tick, 'newLeases' | 'ackedItems' | 'ackedLeases'>

/**
 * Serves one consumer in this process: a loop that gathers what callers want,
 * works out one tick in memory, stores it with one statement, and answers.
 *
 * At most one tick is under way. While it is, further receives and settlements
 * gather, so the busier it gets the more one statement does. There is no timer
 * loop: it runs when a caller comes, the log grows, a lease or retry falls due,
 * or another process says that it freed something.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions
  #settings: DispatcherSettings
  #state: QueueState | undefined
  #storedCursor = 0
  #checkedAt = 0
  /** Somebody said that the queue has changed, and it was not looked at since. */
  #isSuspect = false
  #waiters: Waiter[] = []
  #settlements: PendingSettlement[] = []
  #returns: PendingReturn[] = []
  #gone: number[] = []
  #running = false
  #again = false
  #loading: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #limitedBy: LimitedBy = null
  #isDraining = false
  #staleInARow = 0

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.#settings = options.settings
  }

  get waiterCount(): number {
    return this.#waiters.length
  }

  get consumer(): Consumer {
    return this.#settings.consumer
  }

  receive(options: ReceiveOptions): Promise<Received> {
    const { consumer } = this.#settings
    if (options.signal?.aborted) return Promise.resolve(emptyReceived(null))
    if (this.#isDraining) {
      throw new MillraceError('draining', 'The server is stopping; try again on another one.', {
        retryAfterMs: 1000,
      })
    }
    if (this.#waiters.length >= consumer.maxWaiting) {
      throw new MillraceError(
        'too_many_waiters',
        `${consumer.maxWaiting} receive calls of "${consumer.name}" wait already (max_waiting).`,
        { retryAfterMs: 1000 },
      )
    }
    const waiter = new Waiter(options, consumer.visibilityTimeoutMs, () =>
      this.#onWaiterOver(waiter),
    )
    this.#waiters.push(waiter)
    this.wake()
    return waiter.promise
  }

  settle(settlements: readonly Settlement[]): Promise<SettlementResult[]> {
    const ids = settlements.map(({ ackId }, index) => parseAckId(ackId, index))
    return new Promise((resolve, reject) => {
      this.#settlements.push({ settlements, ids, isChecked: false, resolve, reject })
      this.wake()
    })
  }

  /** Something may have changed: look. Cheap when nothing has, and when nobody waits. */
  wake(): void {
    if (this.#running) {
      this.#again = true
      return
    }
    if (this.#waiters.length + this.#settlements.length + this.#returns.length === 0) return
    void this.#run()
  }

  /** Another process, or an operator, changed the queue: what is known of it is old. */
  invalidate(): void {
    this.#isSuspect = true
    this.wake()
  }

  /** Answers all who wait with nothing, and lets nobody wait any more. Settling goes on. */
  drain(): void {
    this.#isDraining = true
    const waiters = this.#waiters
    for (const waiter of waiters) this.#finishEmpty(waiter)
  }

  /** Waits until what is under way is done. */
  async stop(): Promise<void> {
    this.drain()
    clearTimeout(this.#timer)
    while (this.#running || this.#loading) {
      await (this.#loading ?? new Promise((resolve) => setImmediate(resolve)))
    }
  }

  async #run(): Promise<void> {
    this.#running = true
    try {
      do {
        this.#again = false
        await this.#step()
      } while (this.#again && this.#hasWork())
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#running = false
    }
    if (!this.#loading) this.#finishExpired()
    this.#armTimer()
    // Whoever came between the last look and here would otherwise be forgotten.
    if (this.#again) this.wake()
  }

  #hasWork(): boolean {
    return this.#waiters.length + this.#settlements.length + this.#returns.length > 0
  }

  async #step(): Promise<void> {
    const state = await this.#currentState()
    if (!state) return
    const settlements = this.#takeSettlements()
    const returns = this.#returns.splice(0)
    try {
      const traces = await this.#loadTraces(state, settlements)
      if (traces === 'reload') {
        this.#state = undefined
        this.#putBack(settlements, returns)
        this.#again = true
        return
      }
      await this.#tick(state, settlements, returns, traces)
    } catch (error) {
      this.#state = undefined
      for (const { reject } of settlements) reject(error)
      for (const { resolve } of returns) resolve()
      throw error
    }
  }

  async #tick(
    state: QueueState,
    settlements: PendingSettlement[],
    returns: PendingReturn[],
    traces: ReadonlyMap<ItemKey, DeliveryTrace>,
  ): Promise<void> {
    const tick = new Tick()
    const nowMs = this.#options.clock.now()
    const { consumer } = this.#settings
    const limits = { nowMs, maxDeliveries: consumer.maxDeliveries }

    const answers = settlements.map((pending) =>
      pending.settlements.map((settlement, index) => {
        const id = pending.ids[index]!
        return id.consumerNo === consumer.consumerNo
          ? settleItem(state, tick, settlement, id, { ...limits, traces })
          : ({
              ackId: settlement.ackId,
              status: 'lease_lost',
              detail: 'The ack id belongs to another consumer.',
            } as const)
      }),
    )
    for (const returned of returns) giveLeaseBack(state, tick, returned, nowMs)

    for (const seq of this.#gone.splice(0)) dropGone(state, tick, seq)

    const missing: Missing = { seqs: new Set(), pages: new Set() }
    const claims = this.#claim(state, tick, missing, limits)

    if (!tick.isEmpty || state.cursor - this.#storedCursor > CURSOR_LAG_MAX) {
      const outcome = await this.#commit(state, tick)
      if (outcome !== 'done') {
        this.#putBack(settlements, returns)
        await this.#onRefused(outcome)
        return
      }
    }

    this.#answer(tick, settlements, answers, returns, claims)
    if (missing.pages.size + missing.seqs.size > 0) this.#load(missing)
    else this.#finishExpired()
    if (tick.frees) this.#options.onFreed()
  }

  /** Leases what can be delivered to those who wait, in the order they came. */
  #claim(
    state: QueueState,
    tick: Tick,
    missing: Missing,
    limits: { nowMs: number; maxDeliveries: number | null },
  ): { waiter: Waiter; claim: Claim }[] {
    const claims: { waiter: Waiter; claim: Claim }[] = []
    if (this.#waiters.length === 0) return claims
    const { consumer, feed, context, collapse } = this.#settings
    if (isPaused(consumer, limits.nowMs)) {
      this.#limitedBy = 'paused'
      return claims
    }
    if (expireLeases(state, tick, limits)) this.#again = true

    const shortage: Shortage = { inFlight: false, setAside: false, more: false }
    for (const waiter of this.#waiters) {
      if (waiter.isGone) continue
      const claim = claimMessages(
        state,
        tick,
        feed,
        waiter.request,
        {
          nowMs: limits.nowMs,
          maxInFlight: consumer.maxInFlight,
          selection: context.selection,
          collapse,
        },
        missing,
        shortage,
      )
      if (!claim) break
      claims.push({ waiter, claim })
    }
    if (shortage.more) this.#again = true
    this.#limitedBy = limitOf(state, shortage)
    return claims
  }

  async #commit(state: QueueState, tick: Tick): Promise<'done' | 'stale' | 'config' | 'gone'> {
    const { pool, clock } = this.#options
    const { outcome, clockMs } = await commitTick(pool, this.#settings.consumer, state, tick)
    clock.set(clockMs)
    if (outcome === 'done') {
      this.#storedCursor = state.cursor
      this.#checkedAt = performance.now()
      this.#staleInARow = 0
    } else {
      this.#state = undefined
    }
    return outcome
  }

  async #onRefused(outcome: 'stale' | 'config' | 'gone'): Promise<void> {
    if (outcome === 'stale') {
      this.#staleInARow += 1
      if (this.#staleInARow > STALE_IN_A_ROW_MAX) {
        throw new Error(`a tick of consumer ${this.consumer.name} lost ${this.#staleInARow} times`)
      }
    } else {
      const settings = outcome === 'config' ? await this.#options.reloadSettings() : undefined
      if (!settings) throw goneError(this.consumer)
      this.#settings = settings
    }
    this.#again = true
  }

  /** The settings changed: what follows is judged by the new ones. */
  setSettings(settings: DispatcherSettings): void {
    this.#settings = settings
    this.wake()
  }

  #answer(
    tick: Tick,
    settlements: readonly PendingSettlement[],
    answers: readonly SettlementResult[][],
    returns: readonly PendingReturn[],
    claims: readonly { waiter: Waiter; claim: Claim }[],
  ): void {
    let leaseLost = 0
    for (const [index, { resolve }] of settlements.entries()) {
      const results = answers[index]!
      for (const { status } of results) if (status === 'lease_lost') leaseLost += 1
      resolve(results)
    }
    for (const { resolve } of returns) resolve()
    if (claims.length > 0) {
      const served = new Set(claims.map(({ waiter }) => waiter))
      this.#waiters = this.#waiters.filter((waiter) => !served.has(waiter))
      for (const { waiter, claim } of claims) this.#deliver(waiter, claim)
    }
    this.#options.onTick(tick.counts, leaseLost)
    if (tick.newLeases.length > 0 || tick.ackedItems.length > 0) {
      this.#options.onStored(tick, this.#options.clock.now())
    }
  }

  #deliver(waiter: Waiter, claim: Claim): void {
    const { leaseNo, nonce } = claim.lease
    const giveBack = (): Promise<void> => this.#giveBack(leaseNo, nonce)
    if (waiter.isGone) {
      void giveBack()
      return
    }
    const { context, feed } = this.#settings
    feed.forget(claim.entries)
    const isFull = claim.entries.length >= waiter.request.batchSize
    waiter.finish({
      messages: makeMessages(context, claim),
      limitedBy: isFull ? null : this.#limitedBy,
      giveBack,
    })
  }

  #giveBack(leaseNo: number, nonce: number): Promise<void> {
    return new Promise((resolve) => {
      this.#returns.push({ leaseNo, nonce, resolve })
      this.wake()
    })
  }

  /** Loads what a claim missed, without holding up settlements meanwhile. */
  #load(missing: Missing): void {
    if (this.#loading) return
    this.#loading = this.#settings.feed
      .load(missing)
      .then((gone) => {
        if (gone.length > 0) this.#dropGone(gone)
      })
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#loading = undefined
        this.wake()
      })
  }

  /** What the log does not hold any more cannot be delivered. */
  #dropGone(seqs: readonly number[]): void {
    this.#options.onGone(seqs)
    this.#gone.push(...seqs)
  }

  #finishExpired(): void {
    if (this.#again) return
    for (const waiter of this.#waiters.filter((each) => each.isOver)) this.#finishEmpty(waiter)
  }

  #onWaiterOver(waiter: Waiter): void {
    if (waiter.isGone) this.#waiters = this.#waiters.filter((each) => each !== waiter)
    else if (!this.#running && !this.#loading) this.#finishEmpty(waiter)
  }

  #finishEmpty(waiter: Waiter): void {
    this.#waiters = this.#waiters.filter((each) => each !== waiter)
    waiter.finish(emptyReceived(this.#limitedBy))
  }

  #fail(error: unknown): void {
    this.#state = undefined
    const waiters = this.#waiters.splice(0)
    for (const waiter of waiters) waiter.fail(error)
    for (const { reject } of this.#settlements.splice(0)) reject(error)
    for (const { resolve } of this.#returns.splice(0)) resolve()
  }

  async #currentState(): Promise<QueueState | undefined> {
    if (this.#state && !(await this.#isOutdated(this.#state))) return this.#state
    const { pool, clock } = this.#options
    // Before it is read: what is said meanwhile may be newer.
    this.#isSuspect = false
    const loaded = await loadQueue(pool, this.consumer.consumerNo)
    if (!loaded) throw goneError(this.consumer)
    clock.set(loaded.clockMs)
    this.#state = loaded.state
    this.#storedCursor = loaded.state.cursor
    this.#checkedAt = performance.now()
    return this.#state
  }

  /**
   * A tick on an outdated state is refused, so it can do no harm; but from an
   * outdated state it may seem that there is nothing to do. With other processes
   * about, that is worth a query before callers are left waiting.
   */
  async #isOutdated(state: QueueState): Promise<boolean> {
    if (!this.#isSuspect) {
      if (!this.#options.hasPeers() || this.#waiters.length === 0) return false
      if (performance.now() - this.#checkedAt < UNCHECKED_MS_MAX) return false
    }
    this.#isSuspect = false
    const { rows } = await this.#options.pool.query<{ version: string; writer: string }>({
      name: 'queue-version',
      text: `select version::text, writer::text from millrace.tick
             where consumer_no = $1 order by tick.version desc limit 1`,
      values: [this.consumer.consumerNo],
    })
    this.#checkedAt = performance.now()
    const newest = rows[0]
    return Number(newest?.version) !== state.version || Number(newest?.writer) !== state.token
  }

  #takeSettlements(): PendingSettlement[] {
    let count = 0
    let taken = 0
    for (const { ids } of this.#settlements) {
      if (taken > 0 && count + ids.length > SETTLEMENTS_PER_TICK_MAX) {
        this.#again = true
        break
      }
      count += ids.length
      taken += 1
    }
    return this.#settlements.splice(0, taken)
  }

  async #loadTraces(
    state: QueueState,
    settlements: readonly PendingSettlement[],
  ): Promise<ReadonlyMap<ItemKey, DeliveryTrace> | 'reload'> {
    const unknown: AckId[] = []
    let isOld = false
    for (const pending of settlements) {
      for (const id of pending.ids) {
        if (id.consumerNo !== this.consumer.consumerNo || !needsTrace(state, id)) continue
        unknown.push(id)
        // A lease made by another process since: read the state anew, once.
        if (id.leaseNo >= state.nextLeaseNo && !pending.isChecked) isOld = true
      }
    }
    if (isOld) {
      for (const pending of settlements) pending.isChecked = true
      return 'reload'
    }
    const { pool } = this.#options
    return (await loadTraces(pool, this.consumer.consumerNo, state, unknown)) ?? 'reload'
  }

  #putBack(settlements: readonly PendingSettlement[], returns: readonly PendingReturn[]): void {
    this.#settlements.unshift(...settlements)
    this.#returns.unshift(...returns)
  }

  #armTimer(): void {
    clearTimeout(this.#timer)
    const state = this.#state
    if (!state || this.#waiters.length === 0) return
    const nowMs = this.#options.clock.now()
    const { pausedUntilMs } = this.#settings.consumer
    const nextMs = Math.min(state.nextEventMs(), pausedUntilMs ?? Number.POSITIVE_INFINITY)
    if (nextMs === Number.POSITIVE_INFINITY) return
    const delayMs = Math.min(Math.max(nextMs - nowMs, 0) + 1, TIMER_MS_MAX)
    this.#timer = setTimeout(() => this.wake(), delayMs)
    this.#timer.unref()
  }
}

/** A message that was set aside and whose change is no longer in the log. */
function dropGone(state: QueueState, tick: Tick, seq: number): void {
  for (const item of state.setAside.values()) {
    if (item.seq !== seq) continue
    state.takeItemBack(item)
    tick.dropDelivery(item)
  }
}

function isPaused(consumer: Consumer, nowMs: number): boolean {
  return consumer.pausedUntilMs !== null && consumer.pausedUntilMs > nowMs
}

function limitOf(state: QueueState, shortage: Shortage): LimitedBy {
  if (shortage.inFlight) return 'max_in_flight'
  return shortage.setAside || state.waiting > 0 ? 'blocked_groups' : null
}

function emptyReceived(limitedBy: LimitedBy): Received {
  return { messages: [], limitedBy, giveBack: () => Promise.resolve() }
}

function goneError(consumer: Consumer): MillraceError {
  return new MillraceError('not_found', `There is no consumer "${consumer.name}" any more.`)
}
