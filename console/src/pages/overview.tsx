import type { ComponentChildren } from 'preact'
import { useLocation } from 'preact-iso'

import { formatCount, formatDuration, formatPlural, formatRate } from '../format.ts'
import { useLive, type Live, type LiveConsumer, type LiveSource } from '../live.ts'
import { may, seesEverything } from '../session.ts'
import { useTitle } from '../use-title.ts'
import { Icon } from '../ui/icon.tsx'
import { Ago, Empty, Label, Skeletons, Tag } from '../ui/parts.tsx'
import { Lag } from '../ui/lag.tsx'
import { SourceState } from '../ui/source-state.tsx'
import { Sparkline } from '../ui/sparkline.tsx'

export function Overview() {
  useTitle('Overview')
  const { overview, history } = useLive()
  if (!may('read')) {
    return (
      <Empty title="This token cannot look">
        It has no scope <code>read</code>. Services may work with it; the console needs another one.
      </Empty>
    )
  }
  if (!overview) return <Skeletons count={6} />
  const { consumers, sources } = overview
  const isNew = sources.length === 0 && consumers.length === 0
  return (
    <div class="page">
      <div class="page-head">
        <div>
          <h1>Overview</h1>
          <p>{describeAll(consumers)}</p>
        </div>
        {may('admin') && seesEverything() && !isNew && (
          <div class="row">
            <a class="button" href="/sources/new">
              Connect a database
            </a>
            <a class="button primary" href="/consumers/new">
              <Icon name="plus" />
              Create a consumer
            </a>
          </div>
        )}
      </div>
      {isNew ? (
        <Welcome />
      ) : (
        <>
          <Attention consumers={consumers} sources={sources} />
          <Consumers consumers={consumers} history={history} />
          {sources.length > 0 && <SourceTable sources={sources} history={history} />}
        </>
      )}
    </div>
  )
}

function describeAll(consumers: readonly LiveConsumer[]): string {
  const sum = (pick: (consumer: LiveConsumer) => number): number =>
    consumers.reduce((total, consumer) => total + pick(consumer), 0)
  if (consumers.length === 0) return 'Nothing is consumed yet.'
  const waiting = sum(({ stats }) => stats.backlog + stats.retrying + stats.waiting)
  const acked = sum(({ stats }) => stats.rates.acked)
  return `${formatPlural(consumers.length, 'consumer')}, ${formatRate(acked)} acked, ${formatPlural(waiting, 'message')} to go`
}

function Welcome() {
  return (
    <div class="card">
      <Empty
        title="Connect a database to begin"
        action={
          may('admin') && (
            <a class="button primary" href="/sources/new">
              Connect a database
            </a>
          )
        }
      >
        Millrace reads the committed changes of its tables. Each service that should hear of them
        gets a consumer: a queue of its own, at its own pace.
      </Empty>
    </div>
  )
}

/** Older than this a message waits too long, whatever the consumer. */
const AGE_MS_MAX = 5 * 60_000

interface Matter {
  key: string
  tone: 'bad' | 'warn'
  text: ComponentChildren
  href: string
  action: string
}

/** What somebody should look at, the worst first. */
function Attention({
  consumers,
  sources,
}: {
  consumers: readonly LiveConsumer[]
  sources: readonly LiveSource[]
}) {
  const matters = [...sources.flatMap(judgeSource), ...consumers.flatMap(judgeConsumer)]
  matters.sort((a, b) => (a.tone === b.tone ? 0 : a.tone === 'bad' ? -1 : 1))
  if (matters.length === 0) return null
  return (
    <section class="section" aria-labelledby="attention">
      <h2 id="attention">Needs attention</h2>
      <div class="stack">
        {matters.map(({ key, tone, text, href, action }) => (
          <div key={key} class={`note ${tone}`}>
            <Icon name="alert" />
            <div>{text}</div>
            <a class="button small" href={href}>
              {action}
            </a>
          </div>
        ))}
      </div>
    </section>
  )
}

function judgeSource({ id, name, state, state_reason: reason }: LiveSource): Matter[] {
  if (state !== 'needs_attention' && state !== 'retrying') return []
  const text = (
    <>
      <strong>{name}</strong> {state === 'retrying' ? 'cannot be read at the moment' : 'needs you'}
      {reason ? `: ${reason}` : '.'}
    </>
  )
  const tone = state === 'retrying' ? 'warn' : 'bad'
  return [{ key: id, tone, text, href: `/sources/${name}/health`, action: 'Look' }]
}

function judgeConsumer({ id, name, mode, paused, stats }: LiveConsumer): Matter[] {
  const matters: Matter[] = []
  if (stats.dead > 0) {
    matters.push({
      key: `${id} dead`,
      tone: 'bad',
      text: (
        <>
          <strong>{name}</strong> has {formatPlural(stats.dead, 'dead letter')}.
        </>
      ),
      href: `/consumers/${name}/dead-letters`,
      action: 'Mend',
    })
  }
  const age = stats.oldest_unacked_age_ms ?? 0
  if (!paused && age > AGE_MS_MAX) {
    matters.push({
      key: `${id} age`,
      tone: 'warn',
      text: (
        <>
          The oldest message of <strong>{name}</strong> has waited for {formatDuration(age)}
          {mode === 'push'
            ? stats.retrying > 0 && ', and its webhook fails'
            : stats.waiters === 0 && stats.leased === 0 && ', and nobody receives'}
          .
        </>
      ),
      href: `/consumers/${name}`,
      action: 'Look',
    })
  }
  return matters
}

type History = Live['history']

function Consumers({
  consumers,
  history,
}: {
  consumers: readonly LiveConsumer[]
  history: History
}) {
  const { route } = useLocation()
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
                <th>Acked</th>
                <th class="num">Backlog</th>
                <th class="num">In flight</th>
                <th class="num">Retrying</th>
                <th class="num">Dead</th>
                <th class="num">Oldest unacked</th>
                <th class="num">Commit to ack</th>
              </tr>
            </thead>
            <tbody>
              {consumers.map((consumer) => {
                const { id, name, source, paused, mode, stats } = consumer
                return (
                  <tr key={id} class="link" onClick={() => route(`/consumers/${name}`)}>
                    <td>
                      <span class="row">
                        <a class="plain nowrap" href={`/consumers/${name}`} onClick={stop}>
                          {name}
                        </a>
                        {paused && <Tag tone="warn">Paused</Tag>}
                        {mode === 'push' && <Label>push</Label>}
                        <span class="faint small wide-only">{source}</span>
                      </span>
                    </td>
                    <td class="min">
                      <span class="row nowrap">
                        <Sparkline
                          values={(history.get(id) ?? []).map(({ rate }) => rate)}
                          label={`Messages of ${name} acked per second, the last minutes`}
                        />
                        {formatRate(stats.rates.acked)}
                      </span>
                    </td>
                    <Count value={stats.backlog} />
                    <Count value={stats.leased} />
                    <Count value={stats.retrying + stats.waiting} tone="warn" />
                    <Count value={stats.dead} tone="bad" />
                    <td class="num nowrap">
                      {stats.oldest_unacked_age_ms === null ? (
                        <span class="faint">–</span>
                      ) : (
                        formatDuration(stats.oldest_unacked_age_ms)
                      )}
                    </td>
                    <td class="num nowrap">
                      {stats.latency === null ? (
                        <span class="faint">–</span>
                      ) : (
                        <span
                          title={`Half within ${formatDuration(stats.latency.p50_ms)}, 95 of 100 within ${formatDuration(stats.latency.p95_ms)}`}
                        >
                          {formatDuration(stats.latency.p50_ms)}
                        </span>
                      )}
                    </td>
                  </tr>
                )
              })}
            </tbody>
          </table>
        )}
      </div>
    </section>
  )
}

/** A link in a row that is a link as a whole. */
function stop(event: Event): void {
  event.stopPropagation()
}

function Count({ value, tone }: { value: number; tone?: 'warn' | 'bad' }) {
  if (value === 0) return <td class="num faint">0</td>
  return <td class={`num ${tone ?? ''}`}>{formatCount(value)}</td>
}

function SourceTable({ sources, history }: { sources: readonly LiveSource[]; history: History }) {
  const { route } = useLocation()
  return (
    <section class="section" aria-labelledby="sources">
      <h2 id="sources">Sources</h2>
      <div class="card table-wrap">
        <table class="table">
          <thead>
            <tr>
              <th>Name</th>
              <th>State</th>
              <th>Captured</th>
              <th class="num">Lag</th>
              <th class="num">Changes</th>
              <th class="num">Newest</th>
            </tr>
          </thead>
          <tbody>
            {sources.map((source) => {
              const { id, name, state, last_seq: lastSeq, last_commit_at: commitAt } = source
              const points = history.get(id) ?? []
              return (
                <tr key={id} class="link" onClick={() => route(`/sources/${name}`)}>
                  <td>
                    <a class="plain" href={`/sources/${name}`} onClick={stop}>
                      {name}
                    </a>
                  </td>
                  <td>
                    <SourceState state={state} />
                  </td>
                  <td class="min">
                    <span class="row nowrap">
                      <Sparkline
                        values={points.map(({ rate }) => rate)}
                        label={`Changes of ${name} per second, the last minutes`}
                      />
                      {formatRate(points.at(-1)?.rate ?? 0)}
                    </span>
                  </td>
                  <td class="num nowrap">
                    <Lag source={source} />
                  </td>
                  <td class="num">{formatCount(lastSeq)}</td>
                  <td class="num">
                    {commitAt ? <Ago time={commitAt} /> : <span class="faint">–</span>}
                  </td>
                </tr>
              )
            })}
          </tbody>
        </table>
      </div>
    </section>
  )
}
