import type { Clock } from './clock.ts'

/** Short: until the rate is known too little is leased ahead, and slots stand empty. */
const SPAN_MS = 50
const WEIGHT = 0.5

/** How many messages a second get through, of late. */
export class Throughput {
  readonly #clock: Clock
  #count = 0
  #sinceMs: number
  #perSecond = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#sinceMs = clock.now()
  }

  get perSecond(): number {
    this.#roll()
    return this.#perSecond
  }

  add(count: number): void {
    this.#count += count
    this.#roll()
  }

  #roll(): void {
    const now = this.#clock.now()
    const elapsedMs = now - this.#sinceMs
    if (elapsedMs >= 0 && elapsedMs < SPAN_MS) return
    const measured = elapsedMs > 0 ? (this.#count * 1000) / elapsedMs : 0
    // Up slowly, down at once after a rest: too many leased ahead is worse than too few.
    this.#perSecond =
      elapsedMs > 5 * SPAN_MS ? measured : this.#perSecond + WEIGHT * (measured - this.#perSecond)
    this.#count = 0
    this.#sinceMs = now
  }
}
