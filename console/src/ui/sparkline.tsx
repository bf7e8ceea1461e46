interface SparklineProps {
  values: readonly number[]
  /** What it shows, for those who do not see it. */
  label: string
}

const WIDTH = 110
const HEIGHT = 26

/** Room above the highest value: a steady rate is a line with air over it, not a block. */
const HEADROOM = 1.3

/** The last minutes as a line; flat on the floor while nothing happens. */
export function Sparkline({ values, label }: SparklineProps) {
  const highest = Math.max(...values, 0)
  const top = highest * HEADROOM || 1
  const step = WIDTH / Math.max(1, values.length - 1)
  const points = values.map(
    (value, index) =>
      `${(index * step).toFixed(1)},${(HEIGHT - 2 - (value / top) * (HEIGHT - 5)).toFixed(1)}`,
  )
  const line = points.length > 1 ? `M${points.join('L')}` : `M0,${HEIGHT - 2}H${WIDTH}`
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label}>
      {highest > 0 && points.length > 1 && (
        <path d={`${line}L${WIDTH},${HEIGHT}L0,${HEIGHT}Z`} fill="var(--accent)" opacity="0.1" />
      )}
      <path
        d={line}
        fill="none"
        stroke="var(--accent)"
        stroke-width="1.5"
        opacity={highest > 0 && points.length > 1 ? 1 : 0.35}
      />
    </svg>
  )
}
