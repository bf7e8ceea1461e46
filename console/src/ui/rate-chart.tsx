import 'uplot/dist/uPlot.min.css'

import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'

import { formatCount, formatRate } from '../format.ts'
import type { Point } from '../live.ts'

const HEIGHT = 150
/** A backlog has no halves. */
const WHOLE = [1, 2, 5]
  .flatMap((step) => [1, 10, 100, 1e3, 1e4, 1e5, 1e6].map((ten) => step * ten))
  .sort((a, b) => a - b)

/** Acked messages per second and the backlog, over the last minutes. */
export function RateChart({ points }: { points: readonly Point[] }) {
  const element = useRef<HTMLDivElement>(null)
  const chart = useRef<uPlot>(undefined)
  useEffect(() => {
    const place = element.current!
    const draw = (): void => {
      chart.current?.destroy()
      chart.current = new uPlot(makeOptions(place), toData(points), place)
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
  useEffect(() => chart.current?.setData(toData(points)), [points])
  return (
    <figure class="card chart" aria-label="Acked messages per second and backlog, the last minutes">
      <div ref={element} />
    </figure>
  )
}

function toData(points: readonly Point[]): uPlot.AlignedData {
  return [
    points.map(({ at }) => at / 1000),
    points.map(({ rate }) => rate),
    points.map(({ backlog }) => backlog),
  ]
}

function makeOptions(place: HTMLElement): uPlot.Options {
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
  return {
    width: place.clientWidth,
    height: HEIGHT,
    cursor: { y: false },
    legend: { live: true },
    scales: { x: { range: aWhile }, rate: { range: fromZero }, backlog: { range: fromZero } },
    axes: [
      { ...axis, space: 80, size: 26, grid: { show: false }, values: '{HH}:{mm}:{ss}' },
      { ...axis, scale: 'rate', size: 54, space: 34, values: (_, ticks) => ticks.map(formatTick) },
      {
        ...axis,
        scale: 'backlog',
        side: 1,
        incrs: WHOLE,
        size: 48,
        space: 34,
        grid: { show: false },
        values: (_, ticks) => ticks.map((tick) => formatCount(tick)),
      },
    ],
    series: [
      { value: '{HH}:{mm}:{ss}' },
      {
        label: 'Acked',
        scale: 'rate',
        stroke: colorOf('--accent'),
        width: 1.5,
        points: { show: false },
        value: (_, value) => (value === null ? '–' : formatRate(value)),
      },
      {
        label: 'Backlog',
        scale: 'backlog',
        stroke: colorOf('--busy'),
        width: 1.5,
        dash: [4, 3],
        points: { show: false },
        value: (_, value) => (value === null ? '–' : formatCount(value)),
      },
    ],
  }
}

/** Before there is a second point the axis shows the last minute. */
function aWhile(_: uPlot, from: number | null, to: number | null): [number, number] {
  const end = to ?? Date.now() / 1000
  return from !== null && from < end ? [from, end] : [end - 60, end]
}

/** Nothing at all is a flat line on the floor. */
function fromZero(_: uPlot, __: number | null, max: number | null): [number, number] {
  return [0, Math.max(1, (max ?? 0) * 1.1)]
}

function formatTick(value: number): string {
  return Number.isInteger(value) ? `${formatCount(value)}/s` : `${value.toFixed(1)}/s`
}
