/** Milliseconds, or as the API writes it: `"500ms"`, `"20s"`, `"5m"`, `"1h"`. */
export type Duration = number | string

const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** @throws TypeError */
export function readDuration(duration: Duration): number {
  if (typeof duration === 'number') return duration
  const match = /^(\d+)(ms|s|m|h)$/.exec(duration)
  const unit = UNIT_MS[match?.[2] ?? '']
  if (match?.[1] !== undefined && unit !== undefined) return Number(match[1]) * unit
  throw new TypeError(`"${duration}" is no duration: write milliseconds, or "20s" or "5m"`)
}
