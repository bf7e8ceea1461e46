import { performance } from 'node:perf_hooks'

import type pg from 'pg'

/**
 * The storage's clock, estimated from its last answer. Leases and retries are
 * judged by it and never by this machine's, so all processes agree. The
 * estimate lags by up to the time an answer travels and never runs ahead: no
 * lease ends early.
 */
export class StorageClock {
  #clockMs = 0
  #readAt = 0

  /** Ms since 1970 by the storage. */
  now(): number {
    return Math.floor(this.#clockMs + performance.now() - this.#readAt)
  }

  /** The storage has just said what time it is there. */
  set(clockMs: number): void {
    this.#clockMs = clockMs
    this.#readAt = performance.now()
  }

  async read(pool: pg.Pool): Promise<void> {
    const { rows } = await pool.query<{ clock_ms: string }>(
      'select (extract(epoch from millrace.clock()) * 1000)::bigint::text as clock_ms',
    )
    this.set(Number(rows[0]!.clock_ms))
  }
}
