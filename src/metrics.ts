import { Counter, Gauge, Histogram, Registry } from 'prom-client'

import type { Consumer } from './queue/consumer.ts'
import type { ConsumerStats } from './queue/queue-service.ts'
import type { TickCounts } from './queue/state/tick.ts'
import type { ReaderState } from './storage/schema-types.ts'
import { VERSION } from './version.ts'

/** Names are what dashboards and alerts are written against: add, never rename. */
const NAME = {
  buildInfo: 'millrace_build_info',
  consumerMessages: 'millrace_consumer_messages',
  consumerOldestMessageAge: 'millrace_consumer_oldest_message_age_seconds',
  receiveWaiters: 'millrace_receive_waiters',
  commitToDelivery: 'millrace_commit_to_delivery_seconds',
  commitToAck: 'millrace_commit_to_ack_seconds',
  deliveries: 'millrace_deliveries_total',
  settlements: 'millrace_settlements_total',
  leaseExpirations: 'millrace_lease_expirations_total',
  sourceState: 'millrace_source_state',
  sourceFailures: 'millrace_source_failures_total',
  sourceLag: 'millrace_source_lag_bytes',
  sourceCatalogXminAge: 'millrace_source_catalog_xmin_age_transactions',
  sourceChanges: 'millrace_source_changes_total',
  sourceUndecodable: 'millrace_source_undecodable_total',
  sourceGaps: 'millrace_source_gaps',
  logDroppedUnread: 'millrace_log_dropped_unread_total',
  pushRequests: 'millrace_push_requests_total',
  pushRequestDuration: 'millrace_push_request_duration_seconds',
  pushBreakerOpen: 'millrace_push_breaker_open',
  httpRequestDuration: 'millrace_http_request_duration_seconds',
} as const

const AGE_BUCKETS_S = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600, 86_400,
]
const LATENCY_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60]

/** All of them are shown, so that an alert need not wait for the first time. */
const SOURCE_STATES: readonly ReaderState[] = ['starting', 'healthy', 'retrying', 'needs_attention']

/** What is looked up costs queries: it is not looked up more often than this. */
const LOOKED_UP_EVERY_MS = 5000

/** What a source's reader counts; plain numbers that only grow, but for the lag, the age and the gaps. */
export interface SourceCounts {
  readonly source: string
  readonly state: ReaderState
  /** Sessions that ended with an error. */
  readonly failures: number
  readonly changes: number
  readonly undecodable: number
  readonly lagBytes: number
  readonly catalogXminAge: number
  /** On record. */
  readonly gaps: number
}

/** Where the values come from that are looked up when somebody asks. */
export interface MetricsSources {
  listConsumers(): readonly Consumer[]
  getStats(consumer: Consumer): Promise<ConsumerStats>
  listSourceCounts(): readonly SourceCounts[]
}

/**
 * All metrics of a process. Labels are consumers and sources, which only an
 * administrator makes, and names that the code has: never what a request says.
 */
export class Metrics {
  readonly #registry = new Registry()
  readonly #deliveries = this.#counter(NAME.deliveries, 'Messages delivered.', ['consumer', 'mode'])
  readonly #settlements = this.#counter(NAME.settlements, 'What became of deliveries.', [
    'consumer',
    'outcome',
  ])
  readonly #leaseExpirations = this.#counter(
    NAME.leaseExpirations,
    'Messages whose lease ended before they were settled.',
    ['consumer'],
  )
  readonly #consumerMessages = this.#gauge(NAME.consumerMessages, 'Messages by state.', [
    'consumer',
    'state',
  ])
  readonly #oldestMessageAge = this.#gauge(
    NAME.consumerOldestMessageAge,
    'Age of the oldest message that is neither acked nor dead.',
    ['consumer'],
  )
  readonly #receiveWaiters = this.#gauge(
    NAME.receiveWaiters,
    'Receive calls that wait in this process.',
    ['consumer'],
  )
  readonly #commitToDelivery = this.#histogram(
    NAME.commitToDelivery,
    'Time from the commit of a change to its delivery; the first message of each lease.',
    ['consumer'],
    AGE_BUCKETS_S,
  )
  readonly #commitToAck = this.#histogram(
    NAME.commitToAck,
    'Time from the commit of a change to its ack; the first message of each lease.',
    ['consumer'],
    AGE_BUCKETS_S,
  )
  readonly #logDroppedUnread = this.#counter(
    NAME.logDroppedUnread,
    'Changes dropped unread because the log had reached its limit.',
    ['source'],
  )
  readonly #sourceState = this.#gauge(
    NAME.sourceState,
    '1 for the state that the reader of a source is in, 0 for the others.',
    ['source', 'state'],
  )
  readonly #sourceFailures = this.#counter(
    NAME.sourceFailures,
    'Times that reading a source ended with an error.',
    ['source'],
  )
  readonly #sourceLag = this.#gauge(NAME.sourceLag, 'WAL written and not yet stored.', ['source'])
  readonly #sourceCatalogXminAge = this.#gauge(
    NAME.sourceCatalogXminAge,
    'Transactions since the oldest whose catalogue rows the source keeps for the slot.',
    ['source'],
  )
  readonly #sourceChanges = this.#counter(
    NAME.sourceChanges,
    'Changes stored since this process began to read the source.',
    ['source'],
  )
  readonly #sourceUndecodable = this.#counter(
    NAME.sourceUndecodable,
    'Changes kept aside because they could not be decoded.',
    ['source'],
  )
  readonly #sourceGaps = this.#gauge(
    NAME.sourceGaps,
    'Stretches of WAL on record whose changes were missed.',
    ['source'],
  )
  readonly #pushRequests = this.#counter(NAME.pushRequests, 'Requests to webhooks.', [
    'consumer',
    'code_class',
  ])
  readonly #pushRequestDuration = this.#histogram(
    NAME.pushRequestDuration,
    'Time until a webhook answered or failed.',
    ['consumer'],
  )
  readonly #pushBreakerOpen = this.#gauge(
    NAME.pushBreakerOpen,
    '1 while an endpoint is spared because it keeps failing.',
    ['consumer'],
  )
  readonly #httpRequestDuration = this.#histogram(
    NAME.httpRequestDuration,
    'Time until a request was answered; a receive may wait for messages.',
    ['operation', 'code_class'],
  )
  #lookedUpAt = Number.NEGATIVE_INFINITY
  #lookingUp: Promise<void> | undefined

  constructor() {
    this.#gauge(NAME.buildInfo, 'Always 1.', ['version', 'node_version']).set(
      { version: VERSION, node_version: process.versions.node },
      1,
    )
  }

  /** In Prometheus' text format. */
  async render(sources: MetricsSources): Promise<string> {
    this.#lookingUp ??= this.#lookUp(sources).finally(() => {
      this.#lookingUp = undefined
    })
    await this.#lookingUp
    return this.#registry.metrics()
  }

  countTick(consumer: Consumer, counts: TickCounts, leaseLost: number): void {
    const { name, mode } = consumer
    if (counts.delivered > 0) this.#deliveries.inc({ consumer: name, mode }, counts.delivered)
    if (counts.expired > 0) this.#leaseExpirations.inc({ consumer: name }, counts.expired)
    const outcomes = {
      acked: counts.acked,
      nacked: counts.nacked,
      dead_lettered: counts.dead,
      lease_lost: leaseLost,
    }
    for (const [outcome, count] of Object.entries(outcomes)) {
      if (count > 0) this.#settlements.inc({ consumer: name, outcome }, count)
    }
  }

  observeLatency(consumer: Consumer, step: 'delivery' | 'ack', ms: number): void {
    const histogram = step === 'delivery' ? this.#commitToDelivery : this.#commitToAck
    histogram.observe({ consumer: consumer.name }, ms / 1000)
  }

  countHttpRequest(operation: string, status: number, durationMs: number): void {
    const labels = { operation, code_class: `${Math.floor(status / 100)}xx` }
    this.#httpRequestDuration.observe(labels, durationMs / 1000)
  }

  countPushRequest(consumer: Consumer, codeClass: string, durationMs: number): void {
    this.#pushRequests.inc({ consumer: consumer.name, code_class: codeClass })
    this.#pushRequestDuration.observe({ consumer: consumer.name }, durationMs / 1000)
  }

  countDroppedUnread(source: string, changes: number): void {
    this.#logDroppedUnread.inc({ source }, changes)
  }

  setPushBreaker(consumer: Consumer, isOpen: boolean): void {
    this.#pushBreakerOpen.set({ consumer: consumer.name }, isOpen ? 1 : 0)
  }

  async #lookUp(sources: MetricsSources): Promise<void> {
    if (performance.now() - this.#lookedUpAt < LOOKED_UP_EVERY_MS) return
    this.#lookedUpAt = performance.now()
    this.#setSources(sources.listSourceCounts())
    const consumers = sources.listConsumers()
    // Those that were deleted are gone from here as well.
    for (const gauge of [this.#consumerMessages, this.#oldestMessageAge, this.#receiveWaiters]) {
      gauge.reset()
    }
    // One after the other: looking must not crowd out what it looks at.
    for (const consumer of consumers) {
      this.#setStats(consumer.name, await sources.getStats(consumer))
    }
  }

  #setSources(counts: readonly SourceCounts[]): void {
    for (const metric of [
      this.#sourceState,
      this.#sourceFailures,
      this.#sourceLag,
      this.#sourceCatalogXminAge,
      this.#sourceChanges,
      this.#sourceUndecodable,
      this.#sourceGaps,
    ]) {
      metric.reset()
    }
    for (const { source, state, ...count } of counts) {
      for (const one of SOURCE_STATES)
        this.#sourceState.set({ source, state: one }, +(one === state))
      this.#sourceLag.set({ source }, count.lagBytes)
      this.#sourceCatalogXminAge.set({ source }, count.catalogXminAge)
      this.#sourceGaps.set({ source }, count.gaps)
      // The reader has counted: these begin anew and are raised to where it is.
      this.#sourceFailures.inc({ source }, count.failures)
      this.#sourceChanges.inc({ source }, count.changes)
      this.#sourceUndecodable.inc({ source }, count.undecodable)
    }
  }

  #setStats(consumer: string, stats: ConsumerStats): void {
    const { backlog, leased, retrying, waiting, dead } = stats
    for (const [state, count] of Object.entries({ backlog, leased, retrying, waiting, dead })) {
      this.#consumerMessages.set({ consumer, state }, count)
    }
    this.#receiveWaiters.set({ consumer }, stats.waiters)
    this.#oldestMessageAge.set({ consumer }, (stats.oldestUnackedAgeMs ?? 0) / 1000)
  }

  #counter<T extends string>(name: string, help: string, labelNames: T[]): Counter<T> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] })
  }

  #gauge<T extends string>(name: string, help: string, labelNames: T[]): Gauge<T> {
    return new Gauge({ name, help, labelNames, registers: [this.#registry] })
  }

  #histogram<T extends string>(
    name: string,
    help: string,
    labelNames: T[],
    buckets = LATENCY_BUCKETS_S,
  ): Histogram<T> {
    return new Histogram({ name, help, labelNames, buckets, registers: [this.#registry] })
  }
}
