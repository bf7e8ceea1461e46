import { readDelay, type Duration } from '../duration.ts'
import { MillraceError } from '../errors.ts'

/** Thrown by a handler: not now, again after `delay`. */
export class RetryLater extends MillraceError {
  override readonly name = 'RetryLater'
  /** In whole ms. */
  readonly delay: number
  readonly countAttempt: boolean

  /** @throws RangeError beyond 12 hours, TypeError for what is no duration */
  constructor(delay: Duration, options: { countAttempt?: boolean; reason?: string } = {}) {
    super(
      options.reason ??
        `asked for a retry after ${typeof delay === 'number' ? `${delay} ms` : delay}`,
    )
    this.delay = readDelay(delay)
    this.countAttempt = options.countAttempt ?? true
  }
}

/** What `message.nack` of a consumed message amounts to. */
export class Nacked extends MillraceError {
  override readonly name = 'Nacked'
  readonly outcome: Outcome

  constructor({ delay, reason, countAttempt }: NackChoice) {
    super(reason ?? 'nacked')
    this.outcome = {
      kind: 'nack',
      ...(delay === undefined ? {} : { delay: readDelay(delay) }),
      ...(reason === undefined ? {} : { reason: limitReason(reason) }),
      ...(countAttempt === undefined ? {} : { countAttempt }),
    }
  }
}

/** Thrown by a handler: trying again is no use. The message becomes a dead letter. */
export class PermanentError extends MillraceError {
  override readonly name = 'PermanentError'
}

/** The reason of a handler's signal, and of the nack, when `maxProcessingMs` is over. */
export class ProcessingTimeoutError extends MillraceError {
  override readonly name = 'ProcessingTimeoutError'

  constructor(maxProcessingMs: number) {
    super(`the handler took longer than ${maxProcessingMs} ms`)
  }
}

/** The reason of a handler's signal when the worker was stopped and the grace is over. */
export class WorkerStoppedError extends MillraceError {
  override readonly name = 'WorkerStoppedError'

  constructor(options?: ErrorOptions) {
    super('the worker stops; the message will be delivered again', options)
  }
}

export interface NackChoice {
  /** The retry policy when left out. */
  delay?: Duration
  /** Kept with the message. */
  reason?: string
  /** False: as if this delivery had not been. */
  countAttempt?: boolean
}

/** What the server is told of one message. */
export type Outcome =
  | { kind: 'ack' }
  | ({ kind: 'nack' } & NackChoice)
  | { kind: 'dead_letter'; reason: string }

/** As if it had never been delivered, and not again before `delay` ms. */
export function giveBackAfter(delay: number): Outcome {
  return { kind: 'nack', delay, countAttempt: false }
}

/** True: the handler chose the outcome, it did not just fail. */
export function isChosen(error: unknown): boolean {
  return [Nacked, PermanentError, RetryLater].some((Chosen) => error instanceof Chosen)
}

/** What a handler's throw means. */
export function outcomeOfError(error: unknown): Outcome {
  if (error instanceof Nacked) return error.outcome
  const reason = limitReason(describe(error))
  if (error instanceof PermanentError) return { kind: 'dead_letter', reason }
  if (error instanceof RetryLater) {
    const { delay, countAttempt } = error
    return { kind: 'nack', reason, delay, countAttempt }
  }
  return { kind: 'nack', reason }
}

function describe(error: unknown): string {
  if (error instanceof RetryLater || error instanceof PermanentError) return error.message
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}

/** What the server keeps of a reason. */
const REASON_BYTES_MAX = 2048

/**
 * Cuts between characters, and puts a mark in the places of NUL and of half a surrogate pair,
 * which the server cannot store: an error may quote anything.
 */
function limitReason(reason: string): string {
  const bytes = new Uint8Array(REASON_BYTES_MAX)
  const { written } = new TextEncoder().encodeInto(reason.replaceAll('\0', '\uFFFD'), bytes)
  return new TextDecoder().decode(bytes.subarray(0, written))
}
