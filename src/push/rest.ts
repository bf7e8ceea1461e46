import type { Clock } from './clock.ts'

/**
 * A time that an endpoint is left alone for. A clock that is set back does not lengthen
 * it: there is never more left than the whole of it.
 */
export class Rest {
  readonly #clock: Clock
  readonly #ms: number
  #untilMs: number

  constructor(clock: Clock, ms: number) {
    this.#clock = clock
    this.#ms = ms
    this.#untilMs = clock.now() + ms
  }

  /** 0: it is over. */
  get leftMs(): number {
    const nowMs = this.#clock.now()
    this.#untilMs = Math.min(this.#untilMs, nowMs + this.#ms)
    return Math.max(this.#untilMs - nowMs, 0)
  }
}
