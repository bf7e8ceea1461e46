import 'uplot/dist/uPlot.min.css'

import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'

import { formatClock } from '../format.ts'
import type { Point } from '../live.ts'

const HEIGHT = 150
const WINDOW_MIN_S = 60

export interface Line {
  label: string
  /** Of the style sheet: `--accent`. */
  color: string
  dashed?: boolean
  /** Drawn against an axis of its own, on the right. */
  right?: boolean
  read: (point: Point) => number | null
  format: (value: number) => string
  /** Steps between ticks; left out: whatever fits. */
  steps?: readonly number[]
  /** The axis reaches at least so far; left out: 1. */
  least?: number
}

interface LineChartProps {
  title: string
  points: readonly Point[]
  lines: readonly Line[]
}

/** Lines over the last minutes. The lines stay the same as long as it is shown. */
export function LineChart({ title, points, lines }: LineChartProps) {
  const element = useRef<HTMLDivElement>(null)
  const chart = useRef<uPlot>(undefined)
  const latest = useRef(points)
  latest.current = points
  /** Below the pointer; undefined: it is elsewhere, and the newest is told. */
  const [pointed, setPointed] = useState<number>()
  useEffect(() => {
    const place = element.current!
    const draw = (): void => {
      chart.current?.destroy()
      const options = makeOptions(place, lines)
      options.hooks = { setCursor: [({ cursor }) => setPointed(cursor.idx ?? undefined)] }
      chart.current = new uPlot(options, toData(latest.current, lines), place)
    }
    draw()
    const resize = new ResizeObserver(() =>
      chart.current?.setSize({ width: place.clientWidth, height: HEIGHT }),
    )
    resize.observe(place)
    // Its colours are read from the page when it is made.
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    scheme.addEventListener('change', draw)
    const theme = new MutationObserver(draw)
    theme.observe(document.documentElement, { attributeFilter: ['data-theme'] })
    return () => {
      resize.disconnect()
      theme.disconnect()
      scheme.removeEventListener('change', draw)
      chart.current?.destroy()
    }
  }, [])
  useEffect(() => chart.current?.setData(toData(points, lines)), [points])
  const told = pointed === undefined ? undefined : points[pointed]
  const point = told ?? points.at(-1)
  return (
    <figure class="card chart" aria-label={`${title}, the last minutes`}>
      <figcaption>
        <strong>
          {title}
          {told && <span class="faint small"> at {formatClock(told.at)}</span>}
        </strong>
        {lines.map(({ label, color, dashed, read, format }) => {
          const value = point && read(point)
          return (
            <span key={label} class="chart-key">
              <span
                class={dashed ? 'chart-mark is-dashed' : 'chart-mark'}
                style={{ borderColor: `var(${color})` }}
                aria-hidden="true"
              />
              {label} <b>{value === null || value === undefined ? '–' : format(value)}</b>
            </span>
          )
        })}
      </figcaption>
      <div ref={element} />
    </figure>
  )
}

function toData(points: readonly Point[], lines: readonly Line[]): uPlot.AlignedData {
  return [points.map(({ at }) => at / 1000), ...lines.map(({ read }) => points.map(read))]
}

function makeOptions(place: HTMLElement, lines: readonly Line[]): uPlot.Options {
  // Resolved by the browser: a canvas does not know our variables, nor light-dark().
  const colorOf = (name: string): string => {
    const probe = document.createElement('span')
    probe.style.color = `var(${name})`
    place.append(probe)
    const { color } = getComputedStyle(probe)
    probe.remove()
    return color
  }
  const axis = {
    stroke: colorOf('--text-3'),
    font: '11px ui-sans-serif, system-ui, sans-serif',
    grid: { stroke: colorOf('--line'), width: 1 },
    ticks: { show: false },
  }
  const scaleOf = ({ right }: Line): string => (right ? 'right' : 'left')
  const axisOf = (line: Line): uPlot.Axis => ({
    ...axis,
    scale: scaleOf(line),
    size: line.right ? 44 : 54,
    space: 34,
    ...(line.right ? { side: 1 as const, grid: { show: false } } : {}),
    ...(line.steps ? { incrs: [...line.steps] } : {}),
    values: (_, ticks) => ticks.map(line.format),
  })
  const left = lines.find(({ right }) => !right)!
  const right = lines.find((line) => line.right)
  return {
    width: place.clientWidth,
    height: HEIGHT,
    padding: [8, right ? 0 : 14, 0, 0],
    cursor: { y: false },
    // The caption tells the values.
    legend: { show: false },
    scales: {
      x: { range: aWhile },
      left: { range: fromZero(left.least) },
      right: { range: fromZero(right?.least) },
    },
    axes: [
      { ...axis, space: 80, size: 26, grid: { show: false }, values: '{HH}:{mm}:{ss}' },
      axisOf(left),
      ...(right ? [axisOf(right)] : []),
    ],
    series: [
      {},
      ...lines.map((line): uPlot.Series => ({
        label: line.label,
        scale: scaleOf(line),
        stroke: colorOf(line.color),
        width: 1.5,
        ...(line.dashed ? { dash: [4, 3] } : {}),
        points: { show: false },
        spanGaps: false,
      })),
    ],
  }
}

/** A minute at least, so that the first seconds are not blown up. */
function aWhile(_: uPlot, from: number | null, to: number | null): [number, number] {
  const end = to ?? Date.now() / 1000
  return [Math.min(from ?? end, end - WINDOW_MIN_S), end]
}

/** Nothing at all is a flat line on the floor. */
function fromZero(
  least = 1,
): (_: uPlot, __: number | null, max: number | null) => [number, number] {
  return (_, __, max) => [0, Math.max(least, (max ?? 0) * 1.1)]
}
