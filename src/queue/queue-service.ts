import type { Consumer } from './consumer.ts'
import type { LatencySummary } from './latencies.ts'
import type { RecentAck } from './recent-acks.ts'

export interface ReceiveOptions {
  /** 1–1000. */
  batchSize: number
  /** How long to wait for the first deliverable message, in ms; 0: not at all. */
  waitMs: number
  /** In ms; the consumer's own when left out. */
  visibilityTimeoutMs?: number
  /** The sum of the messages' sizes; one message always fits. */
  maxBytes: number
  /** A label of the caller, shown to operators. */
  worker?: string
  /** Aborts the wait. Nothing is leased to a caller that is gone. */
  signal?: AbortSignal
}

/** Why a receive came back with less than there is: see API.md, Queue. */
export type LimitedBy = 'max_in_flight' | 'blocked_groups' | 'paused' | null

/** One leased message: its JSON is put together when it is asked for, once. */
export interface LeasedMessage {
  readonly ackId: string
  readonly seq: number
  /** Stable over redeliveries and replays: what a receiver deduplicates by. */
  readonly idempotencyKey: string
  readonly attempt: number
  /** Equal for messages that must be handled one after the other; null: no order. */
  readonly group: string | null
  /** Of its JSON in bytes, about. */
  readonly size: number
  /** The message as `receive` answers it. */
  toJson(): string
  /** The same without `ack_id`, as push sends it. */
  toPushJson(): string
}

export interface Received {
  readonly messages: readonly LeasedMessage[]
  readonly limitedBy: LimitedBy
  /**
   * For a caller that could not be answered: the lease is given back, its attempts
   * do not count. Safe to call more than once; without messages it does nothing.
   */
  giveBack: () => Promise<void>
}

/** What to do with one leased message. */
export type Settlement =
  | { kind: 'ack'; ackId: string }
  | {
      kind: 'nack'
      ackId: string
      /** In ms; the retry policy when left out. */
      delayMs?: number
      reason?: string
      /** Default true. */
      countAttempt?: boolean
    }
  | { kind: 'dead_letter'; ackId: string; reason?: string }
  | { kind: 'extend'; ackId: string; visibilityTimeoutMs: number }

/** What became of one settlement, in the order asked. Times are RFC 3339 in UTC. */
export type SettlementResult =
  | { ackId: string; status: 'acked' | 'already_acked' | 'dead_lettered' }
  | { ackId: string; status: 'nacked'; visibleAt: string }
  | { ackId: string; status: 'extended'; leaseExpiresAt: string }
  | { ackId: string; status: 'lease_lost'; detail: string }

export interface ConsumerStats {
  /** Selected changes that the cursor has not reached. */
  backlog: number
  leased: number
  retrying: number
  waiting: number
  dead: number
  /** Receive calls that wait in this process. */
  waiters: number
  /** Age of the oldest change that is neither acked nor dead, in ms; null: none. */
  oldestUnackedAgeMs: number | null
  /** Messages per second over the last minute, as this process served them. */
  rates: { delivered: number; acked: number; nacked: number }
  /** From the commit to the ack, over the last minute in this process; null: no acks. */
  latency: LatencySummary | null
}

/**
 * The queues of all consumers, as this process serves them. Everything it knows
 * is in the storage; any number of processes may serve the same consumer.
 */
export interface QueueService {
  /** By id or name; undefined: there is none. From memory, kept fresh by notifications. */
  findConsumer(idOrName: string): Promise<Consumer | undefined>
  /**
   * Leases messages to the caller, waiting for the first.
   * @throws MillraceError `too_many_waiters`, `draining`, `not_found`, `storage_unavailable`
   */
  receive(consumer: Consumer, options: ReceiveOptions): Promise<Received>
  /**
   * Settles leased messages; durable when it resolves. All ids are checked before
   * anything is changed.
   * @throws MillraceError `malformed_ack_id` (with the pointers `/0`, `/1`, … into `settlements`)
   */
  settle(consumer: Consumer, settlements: readonly Settlement[]): Promise<SettlementResult[]>
  /** An operator has moved the queue: whoever comes after that is served by what it is then. */
  noteMoved(consumer: Consumer): void
  getStats(consumer: Consumer): Promise<ConsumerStats>
  /** When this process saw a message acked, if that was lately. */
  recentAckOf(consumer: Consumer, seq: number): RecentAck | undefined
}
