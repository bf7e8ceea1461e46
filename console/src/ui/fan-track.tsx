import { formatDuration } from '../format.ts'
import type { Delivery } from '../messages.ts'
import { OUTCOMES } from './attempts.tsx'
import { MESSAGE_STATES } from './message-state.tsx'
import type { TimeScale } from './time-scale.ts'

interface FanTrackProps {
  delivery: Delivery
  scale: TimeScale
  start: number
  now: number
}

interface Stretch {
  kind: 'queued' | 'held' | 'to-come'
  from: number
  to: number
  title: string
}

/**
 * One consumer's time with a change: thin while it waits in the queue, thick while
 * a service has it, dashed for what is still to come; a dot for each event.
 */
export function FanTrack({ delivery, scale, start, now }: FanTrackProps) {
  const { state, history } = delivery
  const { tone } = MESSAGE_STATES[state]
  const place = (time: number): string => `${scale.place(time) * 100}%`
  const after = (time: number): string =>
    `${formatDuration(Math.max(0, time - start))} after the commit`
  const { acked_at: acked, delivered_at: delivered, visible_at: visible } = delivery
  const hasAckEvent = history.some(({ outcome }) => outcome === 'acked')
  // An acked message of which no time is known any more, or one that was never to come.
  const isBlank =
    acked === null && history.length === 0 && (state === 'acked' || state === 'before_start')
  if (isBlank) return <div class="fan-track" />
  return (
    <div class="fan-track">
      <span class="fan-rail" />
      {stretchesOf(delivery, start, now).map(({ kind, from, to, title }) => (
        <span
          key={kind}
          class={`fan-bar is-${kind} ${tone}`}
          style={{ left: place(from), width: `${(scale.place(to) - scale.place(from)) * 100}%` }}
          title={title}
        />
      ))}
      {history.map(({ at, outcome, attempt, reason }) => {
        const { text, tone: eventTone } = OUTCOMES[outcome] ?? {
          text: outcome,
          tone: 'accent' as const,
        }
        return (
          <span
            key={`${at} ${outcome}`}
            class={`fan-event ${eventTone}`}
            style={{ left: place(Date.parse(at)) }}
            title={`${text}, attempt ${attempt}, ${after(Date.parse(at))}${reason ? `\n${reason}` : ''}`}
          />
        )
      })}
      {delivered !== null && (
        <span
          class={`fan-event is-start ${tone}`}
          style={{ left: place(Date.parse(delivered)) }}
          title={`Delivered ${after(Date.parse(delivered))}`}
        />
      )}
      {acked !== null && !hasAckEvent && (
        <span
          class="fan-event ok"
          style={{ left: place(Date.parse(acked)) }}
          title={`Acked ${after(Date.parse(acked))}`}
        />
      )}
      {state === 'retrying' && visible !== null && Date.parse(visible) > now && (
        <span
          class={`fan-event is-due ${tone}`}
          style={{ left: place(Date.parse(visible)) }}
          title={`Again ${after(Date.parse(visible))}`}
        />
      )}
      {state === 'leased' && (
        <span class={`fan-event is-now ${tone}`} style={{ left: place(now) }} title="Now" />
      )}
    </div>
  )
}

function stretchesOf(delivery: Delivery, start: number, now: number): Stretch[] {
  const { state, history, acked_at: acked, delivered_at: delivered } = delivery
  const { lease_expires_at: lease, visible_at: visible } = delivery
  if (state === 'before_start') return []
  const last = history.at(-1)
  const end = acked ?? (state === 'acked' || state === 'dead' ? (last?.at ?? null) : null)
  const to = end === null ? now : Date.parse(end)
  // An acked message of which no time is known: nothing is drawn rather than something false.
  if (state === 'acked' && end === null) return []
  const stretches: Stretch[] = []
  const taken = delivered === null ? undefined : Date.parse(delivered)
  if (taken === undefined || taken > start) {
    const until = taken ?? to
    const title = `In the queue for ${formatDuration(Math.max(0, until - start))}`
    stretches.push({ kind: 'queued', from: start, to: until, title })
  }
  if (taken !== undefined) {
    const title = `With a service for ${formatDuration(Math.max(0, to - taken))}`
    stretches.push({ kind: 'held', from: taken, to, title })
  }
  const next = state === 'leased' ? lease : state === 'retrying' ? visible : null
  if (next !== null && Date.parse(next) > now) {
    const title = state === 'leased' ? 'Until its lease ends' : 'Until it is delivered again'
    stretches.push({ kind: 'to-come', from: now, to: Date.parse(next), title })
  }
  return stretches
}
