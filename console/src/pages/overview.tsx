import { formatPlural, formatRate } from '../format.ts'
import { useLive, type LiveConsumer } from '../live.ts'
import { may, seesEverything } from '../session.ts'
import { useTitle } from '../use-title.ts'
import { Icon } from '../ui/icon.tsx'
import { Empty, Skeletons } from '../ui/parts.tsx'
import { Attention } from './attention.tsx'
import { ConsumerTable } from './consumer-table.tsx'
import { SourceTable } from './source-table.tsx'

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
          <ConsumerTable consumers={consumers} history={history} />
          {sources.length > 0 && (
            <section class="section" aria-labelledby="sources">
              <h2 id="sources">Sources</h2>
              <SourceTable sources={sources} history={history} />
            </section>
          )}
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
