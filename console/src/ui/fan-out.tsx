import { formatDuration, formatPlural, formatTime } from '../format.ts'
import type { LiveConsumer } from '../live.ts'
import type { Delivery, FanOutOfChange } from '../messages.ts'
import { useNow } from '../use-now.ts'
import { FanLines } from './fan-lines.tsx'
import { FanRow, isOpen } from './fan-row.tsx'
import { Icon } from './icon.tsx'
import { makeTimeScale, type TimeScale } from './time-scale.ts'

interface FanOutProps {
  source: string
  change: FanOutOfChange
  /** As they are at the moment: why somebody has not reached it yet. */
  consumers: readonly LiveConsumer[]
}

/**
 * The change on the left, a row for each consumer on the right, and lines between
 * them. All rows share one axis of time since the commit, so that who is slow and
 * who retries is seen at a glance.
 */
export function FanOut({ source, change, consumers }: FanOutProps) {
  const now = useNow()
  const start = Date.parse(change.commit_timestamp)
  const deliveries = change.consumers.toSorted(byStart)
  const goesOn = deliveries.some(isOpen)
  const times = deliveries.flatMap(timesOf)
  const scale = makeTimeScale(start, Math.max(start, ...(goesOn ? [now] : []), ...times))
  // Without any time there is nothing to draw along an axis.
  const hasTimes = goesOn || times.length > 0
  return (
    <section
      class={hasTimes ? 'card fan-out' : 'card fan-out is-plain'}
      aria-label="Its way to every consumer"
    >
      <Summary deliveries={deliveries} start={start} />
      <div class="fan-source">
        <div class="fan-node">
          <span class="muted small">{source}</span>
          <strong>
            {change.table_name} <span class="mono">{change.key}</span>
          </strong>
          <span class="small muted">{change.action}</span>
          <time class="small muted" dateTime={change.commit_timestamp}>
            {formatTime(change.commit_timestamp)}
          </time>
        </div>
      </div>
      <FanLines deliveries={deliveries} />
      <div class="fan-rows">
        <Grid scale={scale} now={goesOn ? now : undefined} />
        <ul>
          {deliveries.map((delivery) => (
            <FanRow
              key={delivery.consumer.id}
              delivery={delivery}
              live={consumers.find(({ id }) => id === delivery.consumer.id)}
              scale={scale}
              start={start}
              now={now}
              seq={change.seq}
            />
          ))}
        </ul>
      </div>
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

/** A tick so near to the present would be written into its word. */
const NOW_WIDTH = 0.14

/** The axis below the rows, and its lines behind all of them. */
function Grid({ scale, now }: { scale: TimeScale; now: number | undefined }) {
  const present = now === undefined ? undefined : scale.place(now)
  const isFree = (at: number): boolean =>
    present === undefined || at === 0 || Math.abs(at - present) > NOW_WIDTH
  return (
    <div class="fan-grid" aria-hidden="true">
      <span />
      <div>
        {scale.ticks.map(({ at, text }) => (
          <span key={text} class="fan-tick" style={{ left: `${at * 100}%` }}>
            {isFree(at) && <span>{text}</span>}
          </span>
        ))}
        {present !== undefined && (
          <span class="fan-tick is-now" style={{ left: `${present * 100}%` }}>
            <span>now</span>
          </span>
        )}
      </div>
    </div>
  )
}
