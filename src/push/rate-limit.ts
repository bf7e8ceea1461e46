import type { Clock } from './clock.ts'

/** A token bucket: requests per second, with a tenth of a second's worth at once. */
export class RateLimit {
  readonly #clock: Clock
  readonly #perSecond: number
  readonly #tokensMax: number
  #tokens: number
  #filledAtMs: number

  /** @param perSecond null: no limit */
  constructor(clock: Clock, perSecond: number | null) {
    this.#clock = clock
    this.#perSecond = perSecond ?? Infinity
    this.#tokensMax = Math.max(1, this.#perSecond / 10)
    this.#tokens = this.#tokensMax
    this.#filledAtMs = clock.now()
  }

  /** Ms until a request may go out; 0: now. */
  get waitMs(): number {
    this.#fill()
    return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) / this.#perSecond) * 1000)
  }

  /** A request goes out. */
  take(): void {
    this.#fill()
    this.#tokens -= 1
  }

  #fill(): void {
    // Without a limit there are always infinitely many.
    if (this.#perSecond === Infinity) return
    const now = this.#clock.now()
    const elapsedMs = Math.max(now - this.#filledAtMs, 0)
    this.#filledAtMs = now
    const filled = this.#tokens + (elapsedMs / 1000) * this.#perSecond
    this.#tokens = Math.min(filled, this.#tokensMax)
  }
}
