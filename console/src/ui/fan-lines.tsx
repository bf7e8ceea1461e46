import { useEffect, useRef, useState } from 'preact/hooks'

import type { Delivery } from '../messages.ts'
import { MESSAGE_STATES } from './message-state.tsx'

/** From the change to each row, measured once the rows have their places. */
export function FanLines({ deliveries }: { deliveries: readonly Delivery[] }) {
  const element = useRef<SVGSVGElement>(null)
  const [ends, setEnds] = useState<number[]>([])
  const [size, setSize] = useState({ width: 0, height: 0 })
  useEffect(() => {
    const svg = element.current!
    const card = svg.closest('.fan-out')!
    const measure = (): void => {
      const { top, width, height } = svg.getBoundingClientRect()
      setSize({ width, height })
      setEnds(
        [...card.querySelectorAll('.fan-name')].map((name) => {
          const box = name.getBoundingClientRect()
          return box.top - top + box.height / 2
        }),
      )
    }
    const observer = new ResizeObserver(measure)
    observer.observe(card)
    measure()
    return () => observer.disconnect()
  }, [deliveries.length])
  const { width, height } = size
  const middle = height / 2
  return (
    <svg
      class="fan-lines"
      ref={element}
      aria-hidden="true"
      viewBox={`0 0 ${width || 1} ${height || 1}`}
    >
      {deliveries.map(({ consumer, state }, index) => {
        const end = ends[index]
        if (end === undefined || width === 0) return null
        const { tone } = MESSAGE_STATES[state]
        const isFar = state === 'ahead' || state === 'before_start'
        const path = `M0,${middle} C${width * 0.55},${middle} ${width * 0.45},${end} ${width - 5},${end}`
        return (
          <g key={consumer.id} class={`${tone} ${isFar ? 'is-far' : ''}`}>
            <path d={path} />
            {state === 'leased' && <path class="is-flowing" d={path} />}
            <circle cx={width - 4} cy={end} r="3.5" />
          </g>
        )
      })}
    </svg>
  )
}
