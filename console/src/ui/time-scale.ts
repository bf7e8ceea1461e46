export interface TimeScale {
  /** From 0 (the commit) to 1 (the end of the axis). */
  place: (time: number) => number
  ticks: { at: number; text: string }[]
}

const STEPS: [ms: number, text: string][] = [
  [1, '1 ms'],
  [10, '10 ms'],
  [100, '100 ms'],
  [1000, '1 s'],
  [10_000, '10 s'],
  [60_000, '1 min'],
  [600_000, '10 min'],
  [3_600_000, '1 h'],
  [86_400_000, '1 d'],
  [864_000_000, '10 d'],
]

/** The part of the axis that the word at its beginning takes up. */
const COMMIT_WIDTH = 0.25
/** Behind it a label would stand out at the right. */
const END = 0.93
/** An axis shorter than that would make much of little. */
const SPAN_MIN_MS = 20
/** So many ticks can be read beside each other. */
const TICKS_MAX = 5

/**
 * Time since the commit, on a logarithmic axis: a service answers in milliseconds,
 * and a retry may come after a quarter of an hour.
 */
export function makeTimeScale(start: number, end: number): TimeScale {
  const span = Math.max(SPAN_MIN_MS, end - start) * 1.15
  // Up to about here the axis is as good as linear: a quick way is not squeezed, a slow one fits.
  const linear = Math.min(100, span / 4)
  const place = (time: number): number => {
    const ms = Math.min(span, Math.max(0, time - start))
    return Math.log(1 + ms / linear) / Math.log(1 + span / linear)
  }
  const inside = STEPS.filter(
    ([ms]) => ms < span * 0.8 && place(start + ms) > COMMIT_WIDTH && place(start + ms) < END,
  )
  const every = Math.ceil(inside.length / TICKS_MAX)
  const ticks = inside
    .filter((_, index) => (inside.length - 1 - index) % every === 0)
    .map(([ms, text]) => ({ at: place(start + ms), text }))
  return { place, ticks: [{ at: 0, text: 'commit' }, ...ticks] }
}
