import { useLocation } from 'preact-iso'

import { formatCount, formatDuration, formatRate } from '../format.ts'
import type { Live, LiveConsumer } from '../live.ts'
import { may } from '../session.ts'
import { Empty, Label, Tag } from '../ui/parts.tsx'
import { RowLink } from '../ui/row-link.tsx'
import { Sparkline } from '../ui/sparkline.tsx'

interface ConsumerTableProps {
  consumers: readonly LiveConsumer[]
  history: Live['history']
}

/** All consumers with how each of them does. */
export function ConsumerTable({ consumers, history }: ConsumerTableProps) {
  return (
    <section class="section" aria-labelledby="consumers">
      <h2 id="consumers">Consumers</h2>
      <div class="card table-wrap">
        {consumers.length === 0 ? (
          <Empty
            title="No consumers yet"
            action={
              may('admin') && (
                <a class="button primary" href="/consumers/new">
                  Create a consumer
                </a>
              )
            }
          >
            A consumer hands the changes of some tables to one service, each until it is acked.
          </Empty>
        ) : (
          <table class="table">
            <thead>
              <tr>
                <th>Name</th>
                <th class="wide-only">Acked</th>
                <th class="num">Backlog</th>
                <th class="num wide-only">In flight</th>
                <th class="num">Retrying</th>
                <th class="num">Dead</th>
                <th class="num">Oldest unacked</th>
                <th class="num">Commit to ack</th>
              </tr>
            </thead>
            <tbody>
              {consumers.map((consumer) => (
                <ConsumerRow
                  key={consumer.id}
                  consumer={consumer}
                  rates={(history.get(consumer.id) ?? []).map(({ rate }) => rate)}
                />
              ))}
            </tbody>
          </table>
        )}
      </div>
    </section>
  )
}

function ConsumerRow({ consumer, rates }: { consumer: LiveConsumer; rates: readonly number[] }) {
  const { route } = useLocation()
  const { name, source, paused, mode, stats } = consumer
  const href = `/consumers/${name}`
  const { latency, oldest_unacked_age_ms: age } = stats
  return (
    <tr class="link" onClick={() => route(href)}>
      <td>
        <span class="row">
          <RowLink href={href}>{name}</RowLink>
          {paused && <Tag tone="warn">Paused</Tag>}
          {mode === 'push' && <Label>push</Label>}
          <span class="faint small wide-only">{source}</span>
        </span>
      </td>
      <td class="min wide-only">
        <span class="row nowrap">
          <Sparkline
            values={rates}
            label={`Messages of ${name} acked per second, the last minutes`}
          />
          {formatRate(stats.rates.acked)}
        </span>
      </td>
      <Count value={stats.backlog} />
      <Count value={stats.leased} wideOnly />
      <Count value={stats.retrying + stats.waiting} tone="warn" />
      <Count value={stats.dead} tone="bad" />
      <td class="num nowrap">
        {age === null ? <span class="faint">–</span> : formatDuration(age)}
      </td>
      <td class="num nowrap">
        {latency === null ? (
          <span class="faint">–</span>
        ) : (
          <span
            title={`Half within ${formatDuration(latency.p50_ms)}, 95 of 100 within ${formatDuration(latency.p95_ms)}`}
          >
            {formatDuration(latency.p50_ms)}
          </span>
        )}
      </td>
    </tr>
  )
}

interface CountProps {
  value: number
  tone?: 'warn' | 'bad' | ''
  wideOnly?: boolean
}

function Count({ value, tone = '', wideOnly }: CountProps) {
  const look = value === 0 ? 'faint' : tone
  return <td class={`num ${look} ${wideOnly ? 'wide-only' : ''}`}>{formatCount(value)}</td>
}
