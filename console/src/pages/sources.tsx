import { useLive } from '../live.ts'
import { may } from '../session.ts'
import { Empty, Skeletons } from '../ui/parts.tsx'
import { SourceTrouble } from '../ui/source-trouble.tsx'
import { useTitle } from '../use-title.ts'
import { SourceTable } from './source-table.tsx'

export function Sources() {
  useTitle('Sources')
  const { overview, history } = useLive()
  const connect = may('admin') && (
    <a class="button primary" href="/sources/new">
      Connect a database
    </a>
  )
  return (
    <div class="page">
      <div class="page-head">
        <div>
          <h1>Sources</h1>
          <p>Databases whose committed changes are captured.</p>
        </div>
        {connect}
      </div>
      {overview?.sources.map((source) => (
        <SourceTrouble key={source.id} source={source} named />
      ))}
      {!overview && <Skeletons />}
      {overview?.sources.length === 0 && (
        <div class="card">
          <Empty title="No database is connected" action={connect}>
            Any Postgres from version 14 on with logical replication will do: your own, or one of a
            cloud.
          </Empty>
        </div>
      )}
      {overview && overview.sources.length > 0 && (
        <SourceTable
          sources={overview.sources}
          history={history}
          consumersOf={(name) => overview.consumers.filter(({ source }) => source === name).length}
        />
      )}
    </div>
  )
}
