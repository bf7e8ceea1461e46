const FIRST_DELAY_MS = 1000
const DELAY_MS_MAX = 15 * 60 * 1000
const JITTER = 0.15

/**
 * How long to wait before the next delivery, after `attempt` deliveries that
 * counted: at once after the first, then 1 s doubling to 15 min, ±15 % so that
 * what failed together does not come back together.
 */
export function retryDelayMs(attempt: number, random: () => number = Math.random): number {
  if (attempt <= 1) return 0
  const delay = Math.min(FIRST_DELAY_MS * 2 ** (attempt - 2), DELAY_MS_MAX)
  return Math.round(delay * (1 - JITTER + 2 * JITTER * random()))
}
