import { useEffect, useRef, useState } from 'preact/hooks'

import { formatDuration, formatTime } from '../format.ts'
import type { Delivery, FanOutOfChange } from '../messages.ts'
import { useNow } from '../use-now.ts'
import { OUTCOMES } from './attempts.tsx'
import { MESSAGE_STATES, MessageStateTag } from './message-state.tsx'
import { makeTimeScale, type TimeScale } from './time-scale.ts'

interface FanOutProps {
  source: string
  change: FanOutOfChange
}

/**
 * The change on the left, a row for each consumer on the right, and lines between
 * them. All rows share one axis of time since the commit, so that who is slow and
 * who retries is seen at a glance.
 */
export function FanOut({ source, change }: FanOutProps) {
  const now = useNow()
  const start = Date.parse(change.commit_timestamp)
  const scale = makeTimeScale(start, Math.max(now, ...change.consumers.flatMap(timesOf)))
  // When a first delivery was acked is not kept: then there is nothing to draw along an axis.
  const hasTimes = change.consumers.some(
    ({ state, history }) => state !== 'acked' || history.length > 0,
  )
  return (
    <section
      class={hasTimes ? 'card fan-out' : 'card fan-out is-plain'}
      aria-label="Its way to every consumer"
    >
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
      <Lines deliveries={change.consumers} />
      <ul class="fan-rows">
        {change.consumers.map((delivery) => (
          <FanRow
            key={delivery.consumer.id}
            delivery={delivery}
            scale={scale}
            start={start}
            now={now}
            seq={change.seq}
          />
        ))}
        <li class="fan-axis" aria-hidden="true">
          <span />
          <div class="fan-track">
            {scale.ticks.map(({ at, text }) => (
              <span key={text} style={{ left: `${at * 100}%` }}>
                {text}
              </span>
            ))}
          </div>
        </li>
      </ul>
    </section>
  )
}

function timesOf({ history, lease_expires_at: lease, visible_at: visible }: Delivery): number[] {
  return [...history.map(({ at }) => at), lease, visible].flatMap((time) =>
    time === null ? [] : [Date.parse(time)],
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
  const { tone } = MESSAGE_STATES[state]
  const isOpen = state !== 'acked' && state !== 'dead'
  const last = history.at(-1)
  // Without a history an acked message was acked at its first delivery; when is not kept.
  const end = isOpen ? now : last ? Date.parse(last.at) : undefined
  const tab = state === 'dead' ? '/dead-letters' : ''
  const link =
    state === 'acked'
      ? `/consumers/${consumer.name}`
      : `/consumers/${consumer.name}${tab}?${tab ? '' : `state=${state}&`}message=${seq}`
  return (
    <li class="fan-row">
      <div class="fan-who">
        <div class="row">
          <a class="fan-name" href={link}>
            {consumer.name}
          </a>
          <MessageStateTag state={state} />
        </div>
        <p class="small muted">{describe(delivery, now)}</p>
      </div>
      <div class="fan-track">
        <span class="fan-rail" />
        {end !== undefined && (
          <span class={`fan-bar ${tone}`} style={{ width: `${scale.place(end) * 100}%` }} />
        )}
        {end === undefined && <span class="fan-bar ok is-vague" />}
        {history.map(({ at, outcome, attempt: number, reason: why }) => {
          const { text, tone: eventTone } = OUTCOMES[outcome] ?? {
            text: outcome,
            tone: 'accent' as const,
          }
          const after = formatDuration(Date.parse(at) - start)
          return (
            <span
              key={`${at} ${outcome}`}
              class={`fan-event ${eventTone}`}
              style={{ left: `${scale.place(Date.parse(at)) * 100}%` }}
              title={`${text}, attempt ${number}, ${after} after the commit${why ? `\n${why}` : ''}`}
            />
          )
        })}
        {isOpen && (
          <span
            class={`fan-event now ${tone}`}
            style={{ left: `${scale.place(now) * 100}%` }}
            title="Now"
          />
        )}
        <span class="sr-only">
          {attempt === null ? '' : `Attempt ${attempt}. `}
          {worker ? `With ${worker}. ` : ''}
          {reason ?? ''}
        </span>
      </div>
      {reason && state !== 'acked' && <p class="fan-reason small">{reason}</p>}
    </li>
  )
}

/** The state of a delivery in a few words. */
function describe(delivery: Delivery, now: number): string {
  const { state, attempt, worker, history } = delivery
  const { lease_expires_at: lease, visible_at: visible } = delivery
  const ordinal = attempt === null || attempt <= 1 ? '' : `, attempt ${attempt}`
  switch (state) {
    case 'ahead':
      return 'Not reached yet'
    case 'leased':
      return `${worker ? `With ${worker}` : 'With a service'}${ordinal}${lease ? `, for ${formatDuration(Math.max(0, Date.parse(lease) - now))} more` : ''}`
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
      return attempt === null || attempt <= 1 ? 'No retry was needed' : `After ${tries(attempt)}`
  }
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
        return (
          <g key={consumer.id} class={`${tone} ${state === 'ahead' ? 'is-ahead' : ''}`}>
            <path
              d={`M0,${middle} C${width * 0.55},${middle} ${width * 0.45},${end} ${width - 5},${end}`}
            />
            <circle cx={width - 4} cy={end} r="3.5" />
          </g>
        )
      })}
    </svg>
  )
}
