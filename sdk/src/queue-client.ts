import { readDuration, type Duration } from './duration.ts'
import { bodyOf, type Answer, type CallOptions, type Http, type RequestBody } from './http.ts'
import type { Message, UnknownRow } from './message.ts'
import { withSpan } from './telemetry.ts'

export type SettleBody = RequestBody<'/v1/consumers/{consumer}/settle', 'post'>
export type SettleAnswer = Answer<'/v1/consumers/{consumer}/settle', 'post'>

export interface ReceiveOptions extends CallOptions {
  /** Acked first, at most 1000: one call for a worker's round, not two. See `Received.acks`. */
  ackIds?: string[]
  /** 1–1000; 10. */
  batchSize?: number
  /** How long to wait for the first message, at most 55 s; 20 s. */
  waitFor?: Duration
  /** 1,000–43,200,000; the consumer's own. */
  visibilityTimeoutMs?: number
  /** The sum of the messages; one message always fits. 4 MiB. */
  maxBytes?: number
  /** A label shown to operators. */
  worker?: string
}

export interface Received<Row> {
  data: Message<Row>[]
  /** Why there is less than there is. */
  meta: { limited_by: 'max_in_flight' | 'blocked_groups' | 'paused' | null }
  /** What became of `ackIds`; there only if some were given. */
  acks?: { success: boolean; lost: SettleAnswer['results'] }
}

export interface NackOptions extends CallOptions {
  /** The retry policy when left out. */
  delay?: Duration
  /** Kept with the message; 2 KB. */
  reason?: string
  /** False: as if this delivery had not been. */
  countAttempt?: boolean
  /** True: never again, unless someone redrives it. */
  deadLetter?: boolean
}

export interface ExtendOptions extends CallOptions {
  /** From now. */
  visibilityTimeoutMs: number
}

/** The calls that deliver and settle messages. All may be repeated: ids are idempotent. */
export interface QueueClient {
  /** Leases messages, waiting for the first; an empty answer is no error. */
  receive<Row = UnknownRow>(consumer: string, options?: ReceiveOptions): Promise<Received<Row>>
  /** Answers what became of each id: a lost lease is no error, but in the result. */
  ack(consumer: string, ackIds: string[], options?: CallOptions): Promise<SettleAnswer>
  nack(consumer: string, ackIds: string[], options?: NackOptions): Promise<SettleAnswer>
  extend(consumer: string, ackIds: string[], options: ExtendOptions): Promise<SettleAnswer>
  /** Any mix of the three, in one round trip. */
  settle(consumer: string, body: SettleBody, options?: CallOptions): Promise<SettleAnswer>
}

const WAIT_MS = 20_000
/** On top of the wait, for the way there and back. */
const MARGIN_MS = 10_000

export function createQueueClient({ api, repeatable }: Http): QueueClient {
  return {
    receive<Row>(consumer: string, options: ReceiveOptions = {}) {
      const { ackIds, batchSize, visibilityTimeoutMs, maxBytes, worker } = options
      const { waitFor = WAIT_MS } = options
      const timeoutMs = options.timeoutMs ?? readDuration(waitFor) + MARGIN_MS
      const body = withoutUndefined({
        ack_ids: ackIds,
        batch_size: batchSize,
        wait_for: waitFor,
        visibility_timeout_ms: visibilityTimeoutMs,
        max_bytes: maxBytes,
        worker,
      })
      return withSpan({ operation: 'receive', consumer }, async (span) => {
        const received = await bodyOf(
          api.POST('/v1/consumers/{consumer}/receive', {
            params: { path: { consumer } },
            body,
            ...repeatable({ ...options, timeoutMs }),
          }),
        )
        span.setAttribute('messaging.batch.message_count', received.data.length)
        return received as Received<Row>
      })
    },
    ack: (consumer, ackIds, options) =>
      settling(consumer, ackIds.length, () =>
        bodyOf(
          api.POST('/v1/consumers/{consumer}/ack', {
            params: { path: { consumer } },
            body: { ack_ids: ackIds },
            ...repeatable(options),
          }),
        ),
      ),
    nack(consumer, ackIds, options = {}) {
      const { delay, reason, countAttempt, deadLetter } = options
      const how = { delay, reason, count_attempt: countAttempt, dead_letter: deadLetter }
      return settling(consumer, ackIds.length, () =>
        bodyOf(
          api.POST('/v1/consumers/{consumer}/nack', {
            params: { path: { consumer } },
            body: { ack_ids: ackIds, ...withoutUndefined(how) },
            ...repeatable(options),
          }),
        ),
      )
    },
    extend: (consumer, ackIds, options) =>
      settling(consumer, ackIds.length, () =>
        bodyOf(
          api.POST('/v1/consumers/{consumer}/extend', {
            params: { path: { consumer } },
            body: { ack_ids: ackIds, visibility_timeout_ms: options.visibilityTimeoutMs },
            ...repeatable(options),
          }),
        ),
      ),
    settle: (consumer, body, options) =>
      settling(consumer, countIds(body), () =>
        bodyOf(
          api.POST('/v1/consumers/{consumer}/settle', {
            params: { path: { consumer } },
            body,
            ...repeatable(options),
          }),
        ),
      ),
  }
}

function settling<T>(consumer: string, count: number, run: () => Promise<T>): Promise<T> {
  const attributes = { 'messaging.batch.message_count': count }
  return withSpan({ operation: 'settle', consumer, attributes }, run)
}

function countIds({
  acks = [],
  nacks = [],
  dead_letters = [],
  extends: extended = [],
}: SettleBody) {
  return acks.length + nacks.length + dead_letters.length + extended.length
}

/** JSON leaves these out by itself; the types, which tell absent from undefined, do not. */
function withoutUndefined<T extends object>(object: T) {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [Key in keyof T]: Exclude<T[Key], undefined> }
}
