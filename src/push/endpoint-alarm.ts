import type { Clock } from './clock.ts'
import type { EndpointAlarm } from './push-observer.ts'

const ALARM_AFTER_MS = 5 * 60_000
const ALARM_EVERY_MS = 3_600_000

/** Decides when an endpoint has failed for so long that people should hear of it, and hear again. */
export class AlarmBell {
  readonly #clock: Clock
  readonly #ring: (alarm: EndpointAlarm) => void
  #rungAtMs = -Infinity

  constructor(clock: Clock, ring: (alarm: EndpointAlarm) => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** To be called now and then. */
  check(failingSinceMs: number | null, reason: string): void {
    if (failingSinceMs === null) {
      this.#rungAtMs = -Infinity
      return
    }
    const now = this.#clock.now()
    if (now - failingSinceMs < ALARM_AFTER_MS || now - this.#rungAtMs < ALARM_EVERY_MS) return
    this.#rungAtMs = now
    this.#ring({ failingSince: new Date(failingSinceMs), reason })
  }
}
