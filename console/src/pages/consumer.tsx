import { ErrorBoundary, useRoute } from 'preact-iso'

import { client } from '../api.ts'
import { formatCount, formatDuration, formatRate, formatTime } from '../format.ts'
import { useLive, type LiveConsumer } from '../live.ts'
import { lazyPart } from '../lazy-part.tsx'
import { Label, Loaded, Note, Tag } from '../ui/parts.tsx'
import { useQuery } from '../use-query.ts'
import { useTitle } from '../use-title.ts'
import { Backfills } from './backfills.tsx'
import { ConsumerActions } from './consumer-actions.tsx'
import { ConsumerSettings } from './consumer-settings.tsx'
import { DeadLetters } from './dead-letters.tsx'
import { Messages } from './messages.tsx'
import { ConsumerTail } from './tail.tsx'
import { UseIt } from './use-it.tsx'

const ConsumerCharts = lazyPart(() =>
  import('./consumer-charts.tsx').then((part) => part.ConsumerCharts),
)

const TABS = [
  ['', 'Messages'],
  ['dead-letters', 'Dead letters'],
  ['tail', 'Live tail'],
  ['backfills', 'Backfills'],
  ['settings', 'Settings'],
  ['use', 'Use it'],
] as const

export function Consumer() {
  const { params } = useRoute()
  const name = params['consumer'] ?? ''
  const tab = params['tab'] ?? ''
  const { overview, history } = useLive()
  const query = useQuery(name, (signal) => client.consumers.get(name, { signal }))
  useTitle(name)
  const now = overview?.consumers.find((consumer) => consumer.name === name)
  return (
    <Loaded query={query}>
      {(consumer) => (
        <div class="page">
          <div class="page-head">
            <div>
              <h1>
                {name} <Label>{consumer.mode}</Label>
                {consumer.paused && <Tag tone="warn">Paused</Tag>}
              </h1>
              <p>
                {consumer.kind === 'rows' ? 'the latest rows' : consumer.actions.join(', ')} of{' '}
                <Tables tables={consumer.tables} /> from{' '}
                <a href={`/sources/${consumer.source}`}>{consumer.source}</a>
              </p>
            </div>
            <ConsumerActions consumer={consumer} onChanged={query.reload} />
          </div>
          {consumer.paused && <PauseNote paused={consumer.paused} />}
          <Stats stats={now?.stats} />
          {tab === '' && (
            <div class="charts">
              <ErrorBoundary>
                <ConsumerCharts points={history.get(consumer.id) ?? []} />
              </ErrorBoundary>
            </div>
          )}
          <nav class="tabs" aria-label="Of this consumer">
            {TABS.map(([key, text]) => (
              <a
                key={key}
                href={`/consumers/${name}${key && `/${key}`}`}
                aria-current={key === tab ? 'page' : undefined}
              >
                {text}
                {key === 'dead-letters' && now !== undefined && now.stats.dead > 0 && (
                  <span class="bad"> {formatCount(now.stats.dead)}</span>
                )}
              </a>
            ))}
          </nav>
          {tab === '' && <Messages consumer={consumer} />}
          {tab === 'dead-letters' && <DeadLetters consumer={consumer} />}
          {tab === 'tail' && <ConsumerTail consumer={consumer} />}
          {tab === 'backfills' && <Backfills of={{ consumer: name }} tables={consumer.tables} />}
          {tab === 'settings' && <ConsumerSettings consumer={consumer} onChanged={query.reload} />}
          {tab === 'use' && <UseIt consumer={consumer} />}
        </div>
      )}
    </Loaded>
  )
}

const TABLES_SHOWN = 3

function Tables({ tables }: { tables: readonly string[] }) {
  const shown = tables.slice(0, TABLES_SHOWN).map((table) => (table === '*' ? 'all tables' : table))
  const more = tables.length - shown.length
  return (
    <span title={tables.join('\n')}>
      {shown.join(', ')}
      {more > 0 && ` and ${more} more`}
    </span>
  )
}

function PauseNote({ paused }: { paused: { until: string | null; reason: string | null } }) {
  return (
    <Note tone="warn">
      <strong>Nothing is delivered</strong>
      {paused.until ? ` until ${formatTime(paused.until)}` : ' until somebody resumes it'}
      {paused.reason ? `: ${paused.reason}` : '.'}
    </Note>
  )
}

/** Its numbers of the moment; until they are there, their places. */
function Stats({ stats }: { stats: LiveConsumer['stats'] | undefined }) {
  const age = stats?.oldest_unacked_age_ms ?? null
  const latency = stats?.latency ?? null
  const entries: [name: string, value: string | undefined, hint?: string][] = [
    ['Acked', stats && formatRate(stats.rates.acked)],
    ['Backlog', stats && formatCount(stats.backlog)],
    ['In flight', stats && formatCount(stats.leased)],
    ['Retrying', stats && formatCount(stats.retrying)],
    ['Waiting', stats && formatCount(stats.waiting), 'For an earlier change of their row'],
    ['Dead', stats && formatCount(stats.dead)],
    ['Oldest unacked', age === null ? undefined : formatDuration(age)],
    [
      'Commit to ack',
      latency === null ? undefined : formatDuration(latency.p50_ms),
      'Half of the messages of the last minute were faster',
    ],
  ]
  return (
    <dl class="stats">
      {entries.map(([name, value, hint]) => (
        <div key={name} title={hint}>
          <dt>{name}</dt>
          <dd class={name === 'Dead' && stats && stats.dead > 0 ? 'bad' : ''}>{value ?? '–'}</dd>
        </div>
      ))}
    </dl>
  )
}
