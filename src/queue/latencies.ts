const SAMPLES_MAX = 1024
const WINDOW_S = 60

export interface LatencySummary {
  p50_ms: number
  p95_ms: number
}

/** How long messages took lately: the newest samples of the last minute, in one small ring. */
export class Latencies {
  readonly #values = new Float64Array(SAMPLES_MAX)
  readonly #seconds = new Float64Array(SAMPLES_MAX).fill(Number.NEGATIVE_INFINITY)
  #next = 0

  add(ms: number, nowSecond: number): void {
    this.#values[this.#next] = ms
    this.#seconds[this.#next] = nowSecond
    this.#next = (this.#next + 1) % SAMPLES_MAX
  }

  /** Null: there were none in the last minute. */
  summarize(nowSecond: number): LatencySummary | null {
    const recent = this.#values
      .filter((_, index) => this.#seconds[index]! > nowSecond - WINDOW_S)
      .toSorted()
    if (recent.length === 0) return null
    const at = (share: number): number =>
      Math.round(recent[Math.min(recent.length - 1, Math.floor(recent.length * share))]!)
    return { p50_ms: at(0.5), p95_ms: at(0.95) }
  }
}
