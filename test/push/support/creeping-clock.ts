import type { Clock } from '../../../src/push/clock.ts'
import { ManualClock } from './manual-clock.ts'

/**
 * A manual clock that also moves on by a millisecond with every look, and whose
 * timers fire a little early, as those of Node may: whoever looks twice and
 * takes both for the same time is caught within a few timers.
 */
export class CreepingClock implements Clock {
  readonly #clock = new ManualClock()
  #looks = 0
  #timers = 0

  now(): number {
    return this.#clock.now() + this.#looks++
  }

  setTimer(ms: number, run: () => void): () => void {
    return this.#clock.setTimer(Math.max(ms - (this.#timers++ % 10), 0), run)
  }

  advance(ms: number): void {
    this.#clock.advance(ms)
  }
}
