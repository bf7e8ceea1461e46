import { useId } from 'preact/hooks'

import { formatAgo, formatTime } from '../format.ts'

interface TimeSliderProps {
  /** Of the retained log, in ms since 1970. */
  range: { from: number; to: number }
  value: number
  onChange: (time: number) => void
}

/** Fine enough for the eye, and for the keys. */
const STEPS = 1000

/** A moment of the retained log. */
export function TimeSlider({ range, value, onChange }: TimeSliderProps) {
  const id = useId()
  const { from } = range
  const to = Math.max(range.to, from + 1000)
  const at = Math.round(((value - from) / (to - from)) * STEPS)
  const time = new Date(value).toISOString()
  return (
    <div class="field slider">
      <label for={id}>
        The first change to be delivered: <strong>{formatTime(time)}</strong>{' '}
        <span class="muted">{formatAgo(time)}</span>
      </label>
      <input
        id={id}
        type="range"
        min={0}
        max={STEPS}
        value={at}
        aria-valuetext={formatTime(time)}
        onInput={(event) =>
          onChange(Math.floor(from + ((to - from) * Number(event.currentTarget.value)) / STEPS))
        }
      />
      <div class="slider-ends" aria-hidden="true">
        <span>{formatTime(new Date(from).toISOString())}</span>
        <span>{formatTime(new Date(to).toISOString())}</span>
      </div>
    </div>
  )
}
