import { useEffect, useState } from 'preact/hooks'

import type { Target } from '../messages.ts'
import { Field, Select } from '../ui/field.tsx'
import { TimeSlider } from './time-slider.tsx'

interface TargetFieldProps {
  legend: string
  value: Target
  /** Of the retained log; with it a time is chosen on a slider. */
  range?: { from: number; to: number } | undefined
  onChange: (target: Target) => void
}

type Way = 'earliest' | 'latest' | 'time' | 'seq'

const WAYS = [
  ['earliest', 'The beginning of the log'],
  ['latest', 'The end of the log'],
  ['time', 'A time'],
  ['seq', 'A change by its number'],
] as const

const HOUR_MS = 3_600_000

/** A place in the log. */
export function TargetField({ legend, value, range, onChange }: TargetFieldProps) {
  const [time, setTime] = useState(() => toLocal(new Date(Date.now() - HOUR_MS)))
  const [seq, setSeq] = useState('1')
  const way: Way = typeof value === 'string' ? value : 'time' in value ? 'time' : 'seq'
  const change = (next: Way, nextTime = time, nextSeq = seq): void => {
    if (next === 'time') {
      if (nextTime !== '') onChange({ time: new Date(nextTime).toISOString() })
    } else if (next === 'seq') {
      if (/^\d+$/.test(nextSeq)) onChange({ seq: Number(nextSeq) })
    } else onChange(next)
  }
  const choose = (next: Way): void => {
    if (next === 'time' && range) onChange({ time: toTime((range.from + range.to) / 2) })
    else change(next)
  }
  const exact = typeof value === 'object' && 'time' in value ? Date.parse(value.time) : undefined
  // Chosen before the log's ends were known, it may lie where the slider does not reach.
  useEffect(() => {
    if (!range || exact === undefined) return
    if (exact < range.from || exact > range.to) choose('time')
  }, [range?.from, range?.to])
  return (
    <div class="fields">
      <Select label={legend} value={way} options={WAYS} onChange={(next) => choose(next as Way)} />
      {way === 'time' && range && exact !== undefined && (
        <TimeSlider
          range={range}
          value={exact}
          onChange={(moved) => onChange({ time: toTime(moved) })}
        />
      )}
      {way === 'time' && !range && (
        <Field
          label="In your time zone"
          type="datetime-local"
          value={time}
          onInput={(text) => {
            setTime(text)
            change('time', text)
          }}
        />
      )}
      {way === 'seq' && (
        <Field
          label="Number"
          type="number"
          value={seq}
          onInput={(text) => {
            setSeq(text)
            change('seq', time, text)
          }}
        />
      )}
    </div>
  )
}

function toTime(ms: number): string {
  return new Date(ms).toISOString()
}

/** As an input of the type datetime-local takes it. */
function toLocal(date: Date): string {
  const shifted = new Date(date.getTime() - date.getTimezoneOffset() * 60_000)
  return shifted.toISOString().slice(0, 16)
}
