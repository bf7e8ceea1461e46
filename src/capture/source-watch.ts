import type pg from 'pg'

import type { ReaderTiming } from './reader-timing.ts'

interface SourceWatchOptions {
  readonly client: pg.ClientBase
  readonly timing: ReaderTiming
  /** Looks whether the source still is as capturing needs it; throws where it is not. */
  readonly check: (client: pg.ClientBase) => Promise<void>
  /** When the source last sent something that was stored, by `performance.now()`. */
  readonly readActiveAt: () => number
  readonly onError: (error: unknown) => void
}

/**
 * What is asked of a source beside its stream, on the one ordinary connection, one question
 * after the other: types that are new, whether its publication is still there, and now and
 * then a sign of life.
 */
export class SourceWatch {
  readonly #options: SourceWatchOptions
  readonly #timers: NodeJS.Timeout[] = []
  #asked: Promise<unknown> = Promise.resolve()

  constructor(options: SourceWatchOptions) {
    this.#options = options
  }

  start(): void {
    const { timing, check } = this.#options
    this.#every(timing.watchMs, () => this.ask(check))
    this.#every(timing.heartbeatMs, () => this.#beat())
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer)
  }

  ask<T>(question: (client: pg.ClientBase) => Promise<T>): Promise<T> {
    const answer = this.#asked.then(() => question(this.#options.client))
    this.#asked = answer.catch(() => undefined)
    return answer
  }

  #every(ms: number, duty: () => Promise<void>): void {
    this.#timers.push(
      setInterval(() => {
        duty().catch(this.#options.onError)
      }, ms),
    )
  }

  /** An idle database writes no WAL, and an idle connection proves nothing. */
  async #beat(): Promise<void> {
    const { readActiveAt, timing } = this.#options
    if (performance.now() - readActiveAt() < timing.heartbeatMs) return
    await this.ask((client) =>
      client.query(
        `select case when not pg_is_in_recovery()
           then pg_logical_emit_message(false, 'millrace.heartbeat', '') end`,
      ),
    )
  }
}
