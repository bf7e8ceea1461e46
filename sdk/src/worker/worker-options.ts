import type { Message } from '../message.ts'
import type { StandardSchema } from '../standard-schema.ts'

export interface HandlerContext {
  /**
   * Aborts when the work should end: the lease is lost, `maxProcessingMs` is over, or the
   * worker stops and its grace is over. Its reason says which. Pass it on to `fetch` and the like.
   */
  signal: AbortSignal
}

/** Of a batch: what failed, and how (as if thrown for that message alone). The rest is acked. */
export interface BatchResult<Row> {
  failed: readonly { message: Message<Row>; error: unknown }[]
}

/** Returning acks the message, throwing nacks it. */
export type Handle<Row> = (message: Message<Row>, context: HandlerContext) => unknown

/** Returning acks all messages (but `failed`), throwing nacks all. Those of one group are in order. */
export type HandleBatch<Row> = (
  messages: Message<Row>[],
  context: HandlerContext,
) => Promise<BatchResult<Row> | void> | BatchResult<Row> | void

interface CommonOptions<Row> {
  /** Id or name. */
  consumer: string
  /** Handlers that run at once. 10. */
  concurrency?: number
  /** Messages asked for at once, and those of one `handleBatch`. 10, at most 1000. */
  batchSize?: number
  /** How soon others get our messages if this process dies. Extended while we live. 30 s. */
  visibilityTimeoutMs?: number
  /** After this a handler's signal aborts and its message is nacked. 15 min; Infinity: never. */
  maxProcessingMs?: number
  /** Checks (and may convert) every whole record; what does not pass becomes a dead letter. */
  schema?: StandardSchema<Row>
  /** A label shown to operators. */
  name?: string
}

export type WorkerOptions<Row> = CommonOptions<Row> &
  ({ handle: Handle<Row>; handleBatch?: never } | { handleBatch: HandleBatch<Row>; handle?: never })

/** With every default in place. */
export interface WorkerSettings<Row> {
  consumer: string
  concurrency: number
  batchSize: number
  visibilityTimeoutMs: number
  maxProcessingMs: number
  schema: StandardSchema<Row> | undefined
  name: string | undefined
  /** How many messages one call of `handleBatch` gets. */
  messagesPerCall: number
  /** Settlements gather for so long before they share a request. */
  lingerMs: number
  handleBatch: HandleBatch<Row>
}

const LINGER_MS = 10

/** @throws RangeError, TypeError */
export function readWorkerOptions<Row>(options: WorkerOptions<Row>): WorkerSettings<Row> {
  const { consumer, handle, schema, name } = options
  const handleBatch = options.handleBatch ?? (handle ? toBatchHandler(handle) : undefined)
  if (!consumer) throw new TypeError('a worker needs a consumer')
  if (!handleBatch) throw new TypeError('a worker needs either handle or handleBatch')
  const batchSize = checkRange('batchSize', options.batchSize ?? 10, 1, 1000)
  return {
    consumer,
    schema,
    name,
    handleBatch,
    batchSize,
    lingerMs: LINGER_MS,
    messagesPerCall: handle ? 1 : batchSize,
    concurrency: checkRange('concurrency', options.concurrency ?? 10, 1, 1000),
    visibilityTimeoutMs: checkRange(
      'visibilityTimeoutMs',
      options.visibilityTimeoutMs ?? 30_000,
      1000,
      43_200_000,
    ),
    maxProcessingMs: checkRange(
      'maxProcessingMs',
      options.maxProcessingMs ?? 15 * 60_000,
      1,
      Infinity,
    ),
  }
}

function toBatchHandler<Row>(handle: Handle<Row>): HandleBatch<Row> {
  return async (messages, context) => {
    for (const message of messages) await handle(message, context)
  }
}

function checkRange(name: string, value: number, min: number, max: number): number {
  const whole = Number.isInteger(value) || value === Infinity
  if (whole && value >= min && value <= max) return value
  throw new RangeError(`${name} is a whole number from ${min} to ${max}, not ${value}`)
}
