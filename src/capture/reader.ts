import { setTimeout as sleep } from 'node:timers/promises'

import { NotTheReaderError } from '../log/append.ts'
import type { LogEntry } from '../log/entry.ts'
import type { Logger } from '../log.ts'
import type { Database } from '../storage/database.ts'
import type { ReaderState } from '../storage/schema-types.ts'
import { classifyFailure, isSlotInUse, type CaptureFailure } from './capture-failure.ts'
import { CaptureSession, type SessionOptions } from './capture-session.ts'
import { createReaderMetrics, type ReaderMetrics } from './reader-metrics.ts'
import { saveReaderState } from './reader-state.ts'
import { READER_TIMING, type ReaderTiming } from './reader-timing.ts'
import type { SourceSettings } from './source-settings.ts'

/** A stream that held this long has recovered: the next failure is a first one. */
const RECOVERED_MS = 60_000

export interface ReaderOptions {
  readonly storage: Database
  readonly source: SourceSettings
  /** uuid of this server process. */
  readonly processId: string
  readonly log: Logger
  /** Straight after the commit, in the order of `seq`. Must not throw. */
  readonly onAppend: (sourceNo: number, entries: readonly LogEntry[]) => void
  readonly timing?: Partial<ReaderTiming>
  /** As of a session. */
  readonly companion?: NonNullable<SessionOptions['companion']>
}

/**
 * Reads one source into the log, from `start` to `stop`, through whatever happens in
 * between. A session ends with its first error; the next one takes over from the
 * position that is stored.
 *
 *   starting ──► healthy ──error──► retrying ──► healthy
 *                   └──────────────► needs_attention, looked at again now and then
 */
export class Reader {
  readonly metrics: ReaderMetrics = createReaderMetrics()
  readonly #options: ReaderOptions
  readonly #timing: ReaderTiming
  readonly #stopping = new AbortController()
  readonly #stopped: Promise<void>
  #running: Promise<void> | undefined
  #state: ReaderState = 'starting'
  #failure: CaptureFailure | null = null

  constructor(options: ReaderOptions) {
    this.#options = options
    this.#timing = { ...READER_TIMING, ...options.timing }
    this.#stopped = new Promise((resolve) => {
      this.#stopping.signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  get state(): ReaderState {
    return this.#state
  }

  /** Why it is not healthy, and what mends it. */
  get failure(): CaptureFailure | null {
    return this.#failure
  }

  /** Returns at once; the state tells how it goes. */
  start(): void {
    this.#running ??= this.#run()
  }

  /** May come twice, or before `start`. What is being stored is waited for, shortly. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    let failures = 0
    while (!signal.aborted) {
      const startedAt = performance.now()
      const error = await this.#runSession()
      if (signal.aborted) return
      if (performance.now() - startedAt > RECOVERED_MS) failures = 0
      failures += 1
      this.metrics.failures += 1
      await sleep(this.#delay(error, failures), undefined, { signal }).catch(() => undefined)
    }
  }

  /** Answers what ended the session; undefined: `stop` did. */
  async #runSession(): Promise<unknown> {
    const session = new CaptureSession({
      ...this.#options,
      timing: this.#timing,
      metrics: this.metrics,
    })
    const streaming = session.start().then(() => this.#become(session, 'healthy', null))
    // Stopped or failed meanwhile, its own end is of no interest any more.
    streaming.catch(() => undefined)
    try {
      await Promise.race([streaming.then(() => session.failed), session.failed, this.#stopped])
      return undefined
    } catch (error) {
      const failure = classifyFailure(error, this.#options.source)
      await this.#become(session, failure.state, failure).catch(() => undefined)
      return error
    } finally {
      await session.stop()
    }
  }

  async #become(
    session: CaptureSession,
    state: ReaderState,
    failure: CaptureFailure | null,
  ): Promise<void> {
    const same = this.#state === state && this.#failure?.reason === failure?.reason
    this.#state = state
    this.#failure = failure
    if (!same) this.#report(state, failure)
    if (session.turn) await saveReaderState(session.turn, state, failure)
  }

  #report(state: ReaderState, failure: CaptureFailure | null): void {
    const { log, source } = this.#options
    const fields = { source: source.name, reason: failure?.reason, remedy: failure?.remedy }
    if (state === 'healthy') log.info('reading the source', { source: source.name })
    else if (state === 'retrying') log.warn('the source is not read, trying again', fields)
    else log.error('the source needs attention', fields)
  }

  /** Doubling, with the upper half at random, so that many sources do not come back at once. */
  #delay(error: unknown, failures: number): number {
    const { backoffMinMs, backoffMaxMs, attentionMs, slotInUseMs } = this.#timing
    if (isSlotInUse(error)) return slotInUseMs
    const full =
      this.#state === 'needs_attention'
        ? attentionMs
        : Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(failures - 1, 20))
    const least = error instanceof NotTheReaderError ? slotInUseMs : 0
    return Math.max(least, full * (0.5 + Math.random() / 2))
  }
}
