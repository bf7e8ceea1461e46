/** Longer than this a timer cannot be: it would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** As `setTimeout`; what is longer than a timer can be is never. */
export function startTimer(action: () => void, ms: number) {
  return ms <= TIMER_MS_MAX ? setTimeout(action, ms) : undefined
}
