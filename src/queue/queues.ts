import { randomUUID } from 'node:crypto'
import { performance } from 'node:perf_hooks'

import { MillraceError } from '../errors.ts'
import type { LogEntry } from '../log/entry.ts'
import { SourceLog } from '../log/source-log.ts'
import type { Logger } from '../log.ts'
import type { Database } from '../storage/database.ts'
import {
  CLOCK_CHANNEL,
  CONFIG_CHANNEL,
  LOG_CHANNEL,
  Notifications,
  WAKE_CHANNEL,
} from '../storage/notifications.ts'
import { StorageClock } from '../storage/storage-clock.ts'
import { ConsumerFeed } from './consumer-feed.ts'
import type { Consumer } from './consumer.ts'
import { Directory } from './directory.ts'
import { Dispatcher, type DispatcherSettings, type StoredTick } from './dispatcher.ts'
import { countMessages } from './get-stats.ts'
import { makeMessageContext } from './leased-message.ts'
import type {
  ConsumerStats,
  QueueService,
  Received,
  ReceiveOptions,
  Settlement,
  SettlementResult,
} from './queue-service.ts'
import { Rate } from './rates.ts'
import { Latencies } from './latencies.ts'
import { RecentAcks, type RecentAck } from './recent-acks.ts'
import { compileSelection } from './selection/select-changes.ts'
import type { Lease } from './state/item.ts'
import { RowCollapse } from './state/row-collapse.ts'
import type { TickCounts } from './state/tick.ts'

/** Settings are read anew this often even if no notification came. */
const REFRESH_MS = 15_000
/** Other processes are told of freed messages at most this often per consumer. */
const WAKE_PEERS_MS = 20

interface QueuesOptions {
  database: Database
  logger: Logger
  /** Whether other processes serve this storage; asked on every look, so it must be cheap. */
  hasPeers?: () => boolean
  /** What a tick of a consumer did, for metrics. */
  onTick?: (consumer: Consumer, counts: TickCounts, leaseLost: number) => void
  /**
   * How long after its commit a message was delivered or acked, for metrics: of each lease its
   * first. Those of a batch differ little, and there are many batches.
   */
  onLatency?: (consumer: Consumer, step: 'delivery' | 'ack', ms: number) => void
}

interface Served {
  dispatcher: Dispatcher
  consumer: Consumer
  rates: { delivered: Rate; acked: Rate; nacked: Rate }
  latencies: Latencies
  recentAcks: RecentAcks
  stopListening: () => void
  wakeTimer: NodeJS.Timeout | undefined
}

/** All consumers' queues in this process: see `QueueService`. */
export class Queues implements QueueService {
  readonly #options: QueuesOptions
  readonly #directory: Directory
  readonly #clock = new StorageClock()
  readonly #logs = new Map<number, SourceLog>()
  readonly #served = new Map<number, Served>()
  readonly #notifications: Notifications
  /** Tells our own wake-ups from those of others. */
  readonly #processId = randomUUID()
  #refreshTimer: NodeJS.Timeout | undefined
  #isDraining = false

  constructor(options: QueuesOptions) {
    this.#options = options
    this.#directory = new Directory(options.database)
    this.#notifications = new Notifications({
      url: options.database.url,
      onNotification: (channel, payload) => this.#onNotification(channel, payload),
      onListening: () => void this.#resync(),
    })
  }

  /** Reads the settings and begins to listen; nothing is served before it resolves. */
  async start(): Promise<void> {
    await this.#clock.read(this.#options.database.pool)
    await this.refresh()
    await this.#notifications.start()
    this.#refreshTimer = setInterval(() => void this.#resync(), REFRESH_MS)
  }

  /** Answers all who wait, with nothing, and lets nobody wait any more. Settling goes on until `stop`. */
  drain(): void {
    this.#isDraining = true
    for (const { dispatcher } of this.#served.values()) dispatcher.drain()
  }

  async stop(): Promise<void> {
    this.drain()
    clearInterval(this.#refreshTimer)
    for (const served of this.#served.values()) {
      clearTimeout(served.wakeTimer)
      served.stopListening()
    }
    await Promise.all([...this.#served.values()].map(({ dispatcher }) => dispatcher.stop()))
    await this.#notifications.stop()
  }

  /** Changes that the reader in this process has committed: they need not be read again. */
  append(sourceNo: number, entries: readonly LogEntry[]): void {
    this.#logOf(sourceNo).append(entries)
  }

  /** Reads sources and consumers anew. */
  async refresh(): Promise<void> {
    await this.#directory.refresh()
    for (const sourceNo of this.#directory.listSourceNos()) {
      if (!this.#logs.has(sourceNo)) await this.#logOf(sourceNo).refreshHead()
    }
    for (const [consumerNo, served] of this.#served) {
      const consumer = this.#directory.get(consumerNo)
      if (!consumer) this.#forget(consumerNo, served)
      else if (consumer.configVersion !== served.consumer.configVersion) {
        served.consumer = consumer
        served.dispatcher.setSettings(this.#makeSettings(consumer))
      }
    }
  }

  async findConsumer(idOrName: string): Promise<Consumer | undefined> {
    const known = this.#directory.find(idOrName)
    if (known) return known
    // It may have been made a moment ago, by another process.
    await this.refresh()
    return this.#directory.find(idOrName)
  }

  listConsumers(): Consumer[] {
    return this.#directory.listConsumers()
  }

  receive(consumer: Consumer, options: ReceiveOptions): Promise<Received> {
    return this.#serve(consumer).dispatcher.receive(options)
  }

  settle(consumer: Consumer, settlements: readonly Settlement[]): Promise<SettlementResult[]> {
    return this.#serve(consumer).dispatcher.settle(settlements)
  }

  noteMoved(consumer: Consumer): void {
    this.#served.get(consumer.consumerNo)?.dispatcher.invalidate()
  }

  async getStats(consumer: Consumer): Promise<ConsumerStats> {
    const { dispatcher, rates, latencies } = this.#serve(consumer)
    const { pool } = this.#options.database
    const log = this.#logOf(consumer.sourceNo)
    const counts = await countMessages(pool, log, consumer, compileSelection(consumer))
    const second = currentSecond()
    return {
      ...counts,
      waiters: dispatcher.waiterCount,
      rates: {
        delivered: rates.delivered.perSecond(second),
        acked: rates.acked.perSecond(second),
        nacked: rates.nacked.perSecond(second),
      },
      latency: latencies.summarize(second),
    }
  }

  recentAckOf(consumer: Consumer, seq: number): RecentAck | undefined {
    return this.#served.get(consumer.consumerNo)?.recentAcks.find(seq)
  }

  /** The log of a source as this process has it in memory. */
  logOf(sourceNo: number): SourceLog {
    return this.#logOf(sourceNo)
  }

  #logOf(sourceNo: number): SourceLog {
    let log = this.#logs.get(sourceNo)
    if (!log) {
      log = new SourceLog(this.#options.database.pool, sourceNo)
      this.#logs.set(sourceNo, log)
    }
    return log
  }

  #serve(consumer: Consumer): Served {
    const existing = this.#served.get(consumer.consumerNo)
    if (existing) return existing
    if (this.#isDraining) {
      throw new MillraceError('draining', 'The server is stopping; try again on another one.', {
        retryAfterMs: 1000,
      })
    }
    const rates = { delivered: new Rate(), acked: new Rate(), nacked: new Rate() }
    const latencies = new Latencies()
    const recentAcks = new RecentAcks()
    const { logger, database, hasPeers, onTick, onLatency } = this.#options
    const dispatcher: Dispatcher = new Dispatcher({
      pool: database.pool,
      clock: this.#clock,
      settings: this.#makeSettings(consumer),
      reloadSettings: () => this.#reloadSettings(consumer.consumerNo),
      hasPeers: hasPeers ?? (() => false),
      onFreed: () => this.#wakePeers(consumer.consumerNo),
      onTick: (counts, leaseLost) => {
        const second = currentSecond()
        rates.delivered.add(counts.delivered, second)
        rates.acked.add(counts.acked, second)
        rates.nacked.add(counts.nacked, second)
        onTick?.(served.consumer, counts, leaseLost)
      },
      onStored: (tick, clockMs) => {
        noteAcks(tick, clockMs, recentAcks)
        const second = currentSecond()
        for (const ms of listLatencies(tick.ackedLeases, clockMs)) {
          latencies.add(ms, second)
          onLatency?.(served.consumer, 'ack', ms)
        }
        if (!onLatency) return
        const leases = tick.newLeases.map(({ lease }) => lease)
        for (const ms of listLatencies(leases, clockMs)) onLatency(served.consumer, 'delivery', ms)
      },
      onGone: (seqs) =>
        logger.warn('changes were dropped from the log before they were acknowledged', {
          consumer: consumer.name,
          count: seqs.length,
          first_seq: seqs[0],
        }),
    })
    const served: Served = {
      dispatcher,
      consumer,
      rates,
      latencies,
      recentAcks,
      stopListening: this.#logOf(consumer.sourceNo).onGrow(() => dispatcher.wake()),
      wakeTimer: undefined,
    }
    this.#served.set(consumer.consumerNo, served)
    return served
  }

  #makeSettings(consumer: Consumer): DispatcherSettings {
    const source = this.#directory.getSource(consumer.sourceNo)
    if (!source) throw new MillraceError('not_found', 'The source of this consumer is gone.')
    const selection = compileSelection(consumer)
    return {
      consumer,
      context: makeMessageContext(consumer, source, selection),
      feed: new ConsumerFeed(this.#logOf(consumer.sourceNo), selection),
      collapse: consumer.kind === 'rows' ? new RowCollapse(selection) : null,
    }
  }

  async #reloadSettings(consumerNo: number): Promise<DispatcherSettings | undefined> {
    await this.#directory.refresh()
    const consumer = this.#directory.get(consumerNo)
    if (!consumer) return undefined
    const served = this.#served.get(consumerNo)
    if (served) served.consumer = consumer
    return this.#makeSettings(consumer)
  }

  #forget(consumerNo: number, served: Served): void {
    served.stopListening()
    clearTimeout(served.wakeTimer)
    this.#served.delete(consumerNo)
    void served.dispatcher.stop()
  }

  #onNotification(channel: string, payload: string): void {
    switch (channel) {
      case LOG_CHANNEL: {
        const [sourceNo, head] = payload.split(':').map(Number)
        if (sourceNo !== undefined && head !== undefined) this.#logs.get(sourceNo)?.noteHead(head)
        return
      }
      case WAKE_CHANNEL: {
        const [consumerNo, processId] = payload.split(':')
        if (processId !== this.#processId) {
          this.#served.get(Number(consumerNo))?.dispatcher.invalidate()
        }
        return
      }
      case CONFIG_CHANNEL:
        this.refresh().catch((error: unknown) => this.#warn('settings were not read', error))
        return
      case CLOCK_CHANNEL:
        this.#clock
          .read(this.#options.database.pool)
          .then(() => this.#wakeAll())
          .catch((error: unknown) => this.#warn('the clock was not read', error))
    }
  }

  /** What happened while nobody listened is unknown: read everything anew. */
  async #resync(): Promise<void> {
    try {
      await this.refresh()
      await Promise.all([...this.#logs.values()].map((log) => log.refreshHead()))
      this.#wakeAll()
    } catch (error) {
      this.#warn('settings were not read', error)
    }
  }

  #wakeAll(): void {
    for (const { dispatcher } of this.#served.values()) dispatcher.invalidate()
  }

  #wakePeers(consumerNo: number): void {
    const served = this.#served.get(consumerNo)
    if (!served || served.wakeTimer || !this.#options.hasPeers?.()) return
    served.wakeTimer = setTimeout(() => {
      served.wakeTimer = undefined
      this.#options.database.pool
        .query('select pg_notify($1, $2)', [WAKE_CHANNEL, `${consumerNo}:${this.#processId}`])
        .catch((error: unknown) => this.#warn('other processes were not woken', error))
    }, WAKE_PEERS_MS)
    served.wakeTimer.unref()
  }

  #warn(message: string, error: unknown): void {
    this.#options.logger.warn(message, { error: String(error) })
  }
}

function currentSecond(): number {
  return Math.floor(performance.now() / 1000)
}

function noteAcks(
  { ackedItems, ackedLeases }: StoredTick,
  clockMs: number,
  recentAcks: RecentAcks,
): void {
  for (let i = 0; i < ackedItems.length; i += 1) {
    recentAcks.add(ackedItems[i]!.seq, ackedLeases[i]?.leasedMs ?? 0, clockMs)
  }
}

/** The time since its commit, of each lease in a row that is known to this process. */
function listLatencies(leases: readonly (Lease | null)[], clockMs: number): number[] {
  const latencies: number[] = []
  let last: Lease | null = null
  for (const lease of leases) {
    if (lease === null || lease === last || lease.committedMs === 0) continue
    last = lease
    // The clocks of the source and of the storage are two.
    latencies.push(Math.max(0, clockMs - lease.committedMs))
  }
  return latencies
}
