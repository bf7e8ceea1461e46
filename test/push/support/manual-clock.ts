import type { Clock } from '../../../src/push/clock.ts'

/** A clock that stands until it is moved. */
export class ManualClock implements Clock {
  #nowMs: number
  readonly #timers = new Set<{ atMs: number; run: () => void }>()

  constructor(nowMs = 1_700_000_000_000) {
    this.#nowMs = nowMs
  }

  now(): number {
    return this.#nowMs
  }

  setTimer(ms: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + ms, run }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** As an operator or NTP would: the timers of Node do not go by it. */
  setBack(ms: number): void {
    this.#nowMs -= ms
    for (const timer of this.#timers) timer.atMs -= ms
  }

  /** Moves on, and runs what falls due, in order. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms
    for (;;) {
      const [next] = [...this.#timers]
        .filter(({ atMs }) => atMs <= untilMs)
        .toSorted((a, b) => a.atMs - b.atMs)
      if (!next) break
      this.#timers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.run()
    }
    this.#nowMs = untilMs
  }
}
