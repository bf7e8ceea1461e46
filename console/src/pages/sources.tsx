import { useLocation } from 'preact-iso'

import { formatCount } from '../format.ts'
import { useLive } from '../live.ts'
import { may } from '../session.ts'
import { Ago, Empty, Skeletons } from '../ui/parts.tsx'
import { Lag } from '../ui/lag.tsx'
import { SourceTrouble } from '../ui/source-trouble.tsx'
import { SourceState } from '../ui/source-state.tsx'
import { useTitle } from '../use-title.ts'

export function Sources() {
  useTitle('Sources')
  const { overview } = useLive()
  const { route } = useLocation()
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
      <div class="card table-wrap">
        {!overview && <Skeletons />}
        {overview?.sources.length === 0 && (
          <Empty title="No database is connected" action={connect}>
            Any Postgres from version 14 on with logical replication will do: your own, or one of a
            cloud.
          </Empty>
        )}
        {overview && overview.sources.length > 0 && (
          <table class="table">
            <thead>
              <tr>
                <th>Name</th>
                <th>State</th>
                <th class="num">Consumers</th>
                <th class="num">Lag</th>
                <th class="num">Changes</th>
                <th class="num">Newest</th>
              </tr>
            </thead>
            <tbody>
              {overview.sources.map((source) => {
                const { id, name, state, last_seq: lastSeq, last_commit_at: at } = source
                return (
                  <tr key={id} class="link" onClick={() => route(`/sources/${name}`)}>
                    <td>
                      <a
                        class="plain"
                        href={`/sources/${name}`}
                        onClick={(event) => event.stopPropagation()}
                      >
                        {name}
                      </a>
                    </td>
                    <td>
                      <SourceState state={state} />
                    </td>
                    <td class="num">
                      {overview.consumers.filter((consumer) => consumer.source === name).length}
                    </td>
                    <td class="num nowrap">
                      <Lag source={source} />
                    </td>
                    <td class="num">{formatCount(lastSeq)}</td>
                    <td class="num">{at ? <Ago time={at} /> : <span class="faint">–</span>}</td>
                  </tr>
                )
              })}
            </tbody>
          </table>
        )}
      </div>
    </div>
  )
}
