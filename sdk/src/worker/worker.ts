import { backoffMs, sleep } from '../backoff.ts'
import { ApiError } from '../errors.ts'
import type { Message, UnknownRow } from '../message.ts'
import type { QueueClient } from '../queue-client.ts'
import { Emitter } from './emitter.ts'
import { HandlerPool } from './handler-pool.ts'
import { WorkerStoppedError } from './outcome.ts'
import { toQueueCalls } from './queue-calls.ts'
import { startTimer } from './start-timer.ts'
import type { WorkerEvents } from './worker-events.ts'
import { readWorkerOptions, type WorkerOptions, type WorkerSettings } from './worker-options.ts'

/** Works off one consumer; made by `createWorker`. */
export interface Worker<Row> {
  /**
   * Receives and handles until stopped (by `stop`, or by the signal, which is `stop` with
   * the default grace). A worker runs once: a second call answers the same promise.
   * @throws what no retry will mend: AuthError, NotFoundError, ConflictError, ValidationError
   */
  run(options?: { signal?: AbortSignal }): Promise<void>
  /**
   * Receives no more, gives back what no handler has begun, waits `graceMs` (25 s) for the
   * handlers, then aborts them and gives back their messages. Resolves when all is settled,
   * two seconds after the grace at the latest. May be called before `run`, and again.
   */
  stop(options?: { graceMs?: number }): Promise<void>
  /** Returns what takes the listener off again. */
  on<Name extends keyof WorkerEvents<Row>>(
    name: Name,
    listener: (event: WorkerEvents<Row>[Name]) => void,
  ): () => void
}

const GRACE_MS = 25_000
/** What aborted handlers have to return. */
const ABORT_MS = 1000
/** What the settlements of aborted handlers have to be answered. */
const SETTLE_MS = 1000
/** Waits between receives that fail, for as long as they do. */
const RECEIVE_BACKOFF = { baseMs: 500, maxMs: 30_000 }

/**
 * Handles the messages of a consumer: returning acks, throwing nacks, `RetryLater` and
 * `PermanentError` say more.
 * @throws RangeError, TypeError for options that make no sense
 */
export function createWorker<Row = UnknownRow>(
  client: QueueClient,
  options: WorkerOptions<Row>,
): Worker<Row> {
  return new QueueWorker(client, readWorkerOptions(options))
}

export class QueueWorker<Row> implements Worker<Row> {
  readonly #client: QueueClient
  readonly #settings: WorkerSettings<Row>
  readonly #events = new Emitter<WorkerEvents<Row>>()
  readonly #pool: HandlerPool<Row>
  readonly #receiving = new AbortController()
  readonly #timers: ReturnType<typeof startTimer>[] = []
  #running: Promise<void> | undefined
  #stopped: Promise<void> | undefined
  #fatal: { error: unknown } | undefined

  constructor(client: QueueClient, settings: WorkerSettings<Row>) {
    this.#client = client
    this.#settings = settings
    this.#pool = new HandlerPool({
      queue: toQueueCalls(client, settings.consumer),
      settings,
      emit: (name, event) => this.#events.emit(name, event),
      onError: (error, during, message) => this.#onError(error, during, message),
    })
  }

  on<Name extends keyof WorkerEvents<Row>>(
    name: Name,
    listener: (event: WorkerEvents<Row>[Name]) => void,
  ): () => void {
    return this.#events.on(name, listener)
  }

  /** For settings whose concurrency changes. */
  refresh(): void {
    this.#pool.refresh()
  }

  run({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    this.#running ??= this.#runUntilStopped(signal)
    return this.#running
  }

  stop({ graceMs = GRACE_MS }: { graceMs?: number } = {}): Promise<void> {
    // Every call sets its own limit, so that a second, impatient one shortens the first.
    const at = (ms: number, action: (reason: Error) => void) =>
      this.#timers.push(startTimer(() => action(new WorkerStoppedError()), graceMs + ms))
    at(0, (reason) => this.#pool.abortHandlers(reason))
    at(ABORT_MS, () => this.#pool.abandonHandlers())
    at(ABORT_MS + SETTLE_MS, (reason) => this.#pool.abortSettlements(reason))
    this.#stopped ??= this.#drain(graceMs)
    return this.#stopped.finally(() => this.#clearTimers())
  }

  async #runUntilStopped(signal: AbortSignal | undefined): Promise<void> {
    const onAbort = () => void this.stop()
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted) onAbort()
    try {
      await this.#receiveUntilStopped()
      await this.#stopped
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
    if (this.#fatal) throw this.#fatal.error
  }

  async #receiveUntilStopped(): Promise<void> {
    let failures = 0
    while (!this.#receiving.signal.aborted) {
      try {
        await this.#receiveOnce()
        failures = 0
      } catch (error) {
        if (this.#receiving.signal.aborted) return
        this.#onError(error, 'receive')
        failures++
        await sleep(backoffMs(failures, RECEIVE_BACKOFF), this.#receiving.signal).catch(() => {})
      }
    }
  }

  async #receiveOnce(): Promise<void> {
    const { consumer, visibilityTimeoutMs, name } = this.#settings
    const { signal } = this.#receiving
    const batchSize = this.#pool.room
    if (batchSize === 0) return this.#pool.waitForChange()
    const { data, meta } = await this.#client.receive<Row>(consumer, {
      batchSize,
      visibilityTimeoutMs,
      signal,
      ...(name === undefined ? {} : { worker: name }),
    })
    this.#events.emit('received', { count: data.length, limitedBy: meta.limited_by })
    this.#pool.accept(data)
  }

  async #drain(graceMs: number): Promise<void> {
    this.#events.emit('stopping', { graceMs })
    this.#receiving.abort(new WorkerStoppedError())
    this.#pool.close()
    this.#pool.wake()
    while (!this.#pool.isIdle) await this.#pool.waitForChange()
    this.#events.emit('stopped', {})
  }

  #clearTimers(): void {
    for (const timer of this.#timers.splice(0)) clearTimeout(timer)
  }

  #onError(error: unknown, during: 'receive' | 'extend' | 'settle', message?: Message<Row>): void {
    this.#events.emit('error', { error, during, ...(message ? { message } : {}) })
    if (this.#fatal || !isFatal(error)) return
    this.#fatal = { error }
    void this.stop({ graceMs: 0 })
  }
}

/** The server understood and refuses: it will do so again. Those of haste are the exception. */
function isFatal(error: unknown): boolean {
  return error instanceof ApiError && error.status < 500 && ![408, 429].includes(error.status)
}
