import { useEffect, useRef, useState } from 'preact/hooks'

import { formatDuration, formatPlural, formatTime } from '../format.ts'
import type { Delivery, FanOutOfChange } from '../messages.ts'
import { useNow } from '../use-now.ts'
import { Attempts } from './attempts.tsx'
import { FanTrack } from './fan-track.tsx'
import { Icon } from './icon.tsx'
import { MESSAGE_STATES, MessageStateTag } from './message-state.tsx'
import { makeTimeScale, type TimeScale } from './time-scale.ts'

interface FanOutProps {
  source: string
  change: FanOutOfChange
}

/** States that change by themselves: as long as there is one, time goes on in the picture. */
const OPEN = new Set<Delivery['state']>(['leased', 'retrying', 'waiting', 'ahead'])

/**
 * The change on the left, a row for each consumer on the right, and lines between
 * them. All rows share one axis of time since the commit, so that who is slow and
 * who retries is seen at a glance.
 */
export function FanOut({ source, change }: FanOutProps) {
  const now = useNow()
  const start = Date.parse(change.commit_timestamp)
  const deliveries = change.consumers.toSorted(byStart)
  const isOpen = deliveries.some(({ state }) => OPEN.has(state))
  const times = deliveries.flatMap(timesOf)
  const scale = makeTimeScale(start, Math.max(start, ...(isOpen ? [now] : []), ...times))
  // Without any time there is nothing to draw along an axis.
  const hasTimes = isOpen || times.length > 0
  return (
    <section
      class={hasTimes ? 'card fan-out' : 'card fan-out is-plain'}
      aria-label="Its way to every consumer"
    >
      <Summary deliveries={deliveries} start={start} />
      <div class="fan-source">
        <div class="fan-node">
          <span class="faint small">{source}</span>
          <strong>
            {change.table_name} <span class="mono">{change.key}</span>
          </strong>
          <span class="small muted">{change.action}</span>
          <time class="small faint" dateTime={change.commit_timestamp}>
            {formatTime(change.commit_timestamp)}
          </time>
        </div>
      </div>
      <Lines deliveries={deliveries} />
      <ul class="fan-rows">
        {deliveries.map((delivery) => (
          <FanRow
            key={delivery.consumer.id}
            delivery={delivery}
            scale={scale}
            start={start}
            now={now}
            seq={change.seq}
          />
        ))}
        <Axis scale={scale} />
      </ul>
    </section>
  )
}

/** Those that were never to get it come last. */
function byStart(a: Delivery, b: Delivery): number {
  return Number(a.state === 'before_start') - Number(b.state === 'before_start')
}

function timesOf(delivery: Delivery): number[] {
  const { history, lease_expires_at: lease, visible_at: visible } = delivery
  return [
    ...history.map(({ at }) => at),
    lease,
    delivery.state === 'retrying' ? visible : null,
    delivery.delivered_at,
    delivery.acked_at,
  ].flatMap((time) => (time === null ? [] : [Date.parse(time)]))
}

/** `3 of 4 have acked it, the last after 183 ms.` */
function Summary({ deliveries, start }: { deliveries: readonly Delivery[]; start: number }) {
  const wanted = deliveries.filter(({ state }) => state !== 'before_start')
  const acked = wanted.filter(({ state }) => state === 'acked')
  const dead = wanted.filter(({ state }) => state === 'dead').length
  const last = Math.max(...acked.map(({ acked_at: at }) => (at === null ? 0 : Date.parse(at))))
  const isDone = wanted.length > 0 && acked.length === wanted.length
  return (
    <p class="fan-summary">
      <span class={isDone ? 'ok' : dead > 0 ? 'bad' : 'accent'}>
        <Icon name={isDone ? 'check' : dead > 0 ? 'alert' : 'fan'} />
      </span>
      <span>
        <strong>
          {isDone
            ? `All ${formatPlural(wanted.length, 'consumer')} acked it`
            : `${acked.length} of ${formatPlural(wanted.length, 'consumer')} acked it`}
        </strong>
        {last > 0 &&
          acked.length > 0 &&
          `, the last ${formatDuration(Math.max(0, last - start))} after the commit`}
        {dead > 0 && `, ${dead} gave up`}
      </span>
    </p>
  )
}

function Axis({ scale }: { scale: TimeScale }) {
  return (
    <li class="fan-axis" aria-hidden="true">
      <span />
      <div class="fan-track">
        {scale.ticks.map(({ at, text }) => (
          <span key={text} style={{ left: `${at * 100}%` }}>
            {text}
          </span>
        ))}
      </div>
      <span class="fan-end" />
    </li>
  )
}

interface FanRowProps {
  delivery: Delivery
  scale: TimeScale
  start: number
  now: number
  seq: number
}

function FanRow({ delivery, scale, start, now, seq }: FanRowProps) {
  const { consumer, state, attempt, history, reason, worker } = delivery
  const tab = state === 'dead' ? '/dead-letters' : ''
  const link =
    state === 'acked' || state === 'before_start'
      ? `/consumers/${consumer.name}`
      : `/consumers/${consumer.name}${tab}?${tab ? '' : `state=${state}&`}message=${seq}`
  return (
    <li class={`fan-row ${state === 'before_start' ? 'is-apart' : ''}`}>
      <div class="fan-who">
        <div class="row">
          <a class="fan-name" href={link}>
            {consumer.name}
          </a>
          <MessageStateTag state={state} />
        </div>
        <p class="small muted">{describe(delivery, now)}</p>
      </div>
      <FanTrack delivery={delivery} scale={scale} start={start} now={now} />
      <span class="fan-end">{endOf(delivery, start, now)}</span>
      <span class="sr-only">
        {attempt === null ? '' : `Attempt ${attempt}. `}
        {worker ? `With ${worker}. ` : ''}
      </span>
      {reason && state !== 'acked' && <p class="fan-reason small">{reason}</p>}
      {history.length > 0 && (
        <details class="fan-history small">
          <summary>{formatPlural(history.length, 'event')}</summary>
          <Attempts history={history} />
        </details>
      )}
    </li>
  )
}

/** How long it took, or has taken so far. */
function endOf({ state, acked_at: acked, history }: Delivery, start: number, now: number): string {
  const last = history.at(-1)
  const end = acked ?? (state === 'dead' || state === 'acked' ? (last?.at ?? null) : null)
  if (end !== null) return formatDuration(Math.max(0, Date.parse(end) - start))
  return OPEN.has(state) ? formatDuration(Math.max(0, now - start)) : ''
}

/** The state of a delivery in a few words. */
function describe(delivery: Delivery, now: number): string {
  const { state, attempt, worker, history, consumer } = delivery
  const { lease_expires_at: lease, visible_at: visible } = delivery
  const ordinal = attempt === null || attempt <= 1 ? '' : `, attempt ${attempt}`
  switch (state) {
    case 'ahead':
      return 'Not reached yet'
    case 'leased':
      return `${worker ? `With ${worker}` : consumer.mode === 'push' ? 'On its way to the webhook' : 'With a service'}${ordinal}${lease ? `, for ${formatDuration(Math.max(0, Date.parse(lease) - now))} more` : ''}`
    case 'retrying':
      return `After ${tries(attempt)}, again ${visible && Date.parse(visible) > now ? `in ${formatDuration(Date.parse(visible) - now)}` : 'now'}`
    case 'waiting':
      return 'An earlier change of this row is not settled'
    case 'dead':
      return `Given up after ${tries(attempt)}`
    case 'before_start':
      return 'It began after this change'
    case 'acked':
      if (history.at(-1)?.outcome === 'discarded') return 'Discarded by hand'
      return describeAck(delivery)
  }
}

function describeAck({ attempt, delivered_at: delivered, acked_at: acked }: Delivery): string {
  const isFirst = attempt === null || attempt <= 1
  if (delivered === null || acked === null) {
    return isFirst ? 'At the first delivery' : `After ${tries(attempt)}`
  }
  const work = formatDuration(Math.max(0, Date.parse(acked) - Date.parse(delivered)))
  return isFirst ? `Worked on for ${work}` : `After ${tries(attempt)}, the last took ${work}`
}

function tries(attempt: number | null): string {
  return attempt === 1 ? 'one delivery' : `${attempt ?? 0} deliveries`
}

/** From the change to each row, measured once the rows have their places. */
function Lines({ deliveries }: { deliveries: readonly Delivery[] }) {
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
