/** Milliseconds, or as the API writes it: `"500ms"`, `"20s"`, `"5m"`, `"1h"`. */
export type Duration = number | string

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** What the server takes of a delay. */
const DELAY_MS_MAX = 12 * UNIT_MS.h

/**
 * A delay as the server takes it, in whole ms. Checked where it is made: in the settlement of
 * many messages one that is wrong would have all of them refused.
 * @throws RangeError, TypeError
 */
export function readDelay(delay: Duration): number {
  const ms = Math.round(readDuration(delay))
  if (ms >= 0 && ms <= DELAY_MS_MAX) return ms
  throw new RangeError(`a delay is from 0 ms to 12 h, not ${delay}`)
}

/** @throws TypeError */
export function readDuration(duration: Duration): number {
  if (typeof duration === 'number') return duration
  const match = /^(\d+)(ms|s|m|h)$/.exec(duration)
  if (match) return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]
  throw new TypeError(`"${duration}" is no duration: write milliseconds, or "20s" or "5m"`)
}
