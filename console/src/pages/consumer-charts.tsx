import { formatCount, formatDuration, formatRate } from '../format.ts'
import type { Point } from '../live.ts'
import { LineChart, type Line } from '../ui/line-chart.tsx'

/** A backlog has no halves. */
const WHOLE = [1, 10, 100, 1e3, 1e4, 1e5, 1e6].flatMap((ten) => [1, 2, 5].map((step) => step * ten))

const THROUGHPUT: Line[] = [
  { label: 'Acked', color: '--accent', read: ({ rate }) => rate, format: formatRate },
  {
    label: 'Backlog',
    color: '--busy',
    dashed: true,
    right: true,
    read: ({ backlog }) => backlog,
    format: formatCount,
    steps: WHOLE,
  },
]

/** An axis of less would show noise. */
const LEAST_MS = 10

const LATENCY: Line[] = [
  {
    label: 'Median',
    color: '--accent',
    read: ({ p50 }) => p50,
    format: formatDuration,
    least: LEAST_MS,
  },
  {
    label: 'p95',
    color: '--warn',
    dashed: true,
    read: ({ p95 }) => p95,
    format: formatDuration,
  },
]

/** How much, and how fast, over the last minutes. */
export function ConsumerCharts({ points }: { points: readonly Point[] }) {
  return (
    <div class="split">
      <LineChart title="Throughput" points={points} lines={THROUGHPUT} />
      <LineChart title="Commit to ack" points={points} lines={LATENCY} />
    </div>
  )
}
