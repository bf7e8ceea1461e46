import { formatDuration, formatPlural } from '../format.ts'
import type { LiveConsumer } from '../live.ts'
import type { Delivery } from '../messages.ts'
import { Attempts } from './attempts.tsx'
import { FanTrack } from './fan-track.tsx'
import { MessageStateTag } from './message-state.tsx'
import type { TimeScale } from './time-scale.ts'

/** States that change by themselves: as long as there is one, time goes on in the picture. */
const OPEN = new Set<Delivery['state']>(['leased', 'retrying', 'waiting', 'ahead'])

/** Whether something is still to happen to it. */
export function isOpen({ state }: Delivery): boolean {
  return OPEN.has(state)
}

interface FanRowProps {
  delivery: Delivery
  /** Undefined: it is not known how the consumer does. */
  live: LiveConsumer | undefined
  scale: TimeScale
  start: number
  now: number
  seq: number
}

/** What one consumer has made of the change so far. */
export function FanRow({ delivery, live, scale, start, now, seq }: FanRowProps) {
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
        <p class="small muted">{describe(delivery, live, now)}</p>
      </div>
      <FanTrack delivery={delivery} scale={scale} start={start} now={now} />
      <span class={isOpen(delivery) ? 'fan-end muted' : 'fan-end'}>
        {endOf(delivery, start, now)}
      </span>
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
function describe(delivery: Delivery, live: LiveConsumer | undefined, now: number): string {
  const { state, attempt, worker, history, consumer } = delivery
  const { lease_expires_at: lease, visible_at: visible } = delivery
  const ordinal = attempt === null || attempt <= 1 ? '' : `, attempt ${attempt}`
  switch (state) {
    case 'ahead':
      return describeAhead(live)
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

/** Why it has not come to it yet, as far as that is seen from here. */
function describeAhead(live: LiveConsumer | undefined): string {
  if (live?.paused) return 'Not reached yet: it is paused'
  const { waiters = 1, leased = 0 } = live?.stats ?? {}
  const isIdle = live?.mode === 'pull' && waiters === 0 && leased === 0
  return isIdle ? 'Not reached yet: nobody receives' : 'Not reached yet'
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
