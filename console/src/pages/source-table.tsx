import { useLocation } from 'preact-iso'

import { formatCount, formatRate } from '../format.ts'
import type { Live, LiveSource } from '../live.ts'
import { Lag } from '../ui/lag.tsx'
import { Ago } from '../ui/parts.tsx'
import { RowLink } from '../ui/row-link.tsx'
import { SourceState } from '../ui/source-state.tsx'
import { Sparkline } from '../ui/sparkline.tsx'

interface SourceTableProps {
  sources: readonly LiveSource[]
  history: Live['history']
  /** How many read each; left out: it is not shown. */
  consumersOf?: (source: string) => number
}

/** Sources with their health, what they capture, and their lag. */
export function SourceTable({ sources, history, consumersOf }: SourceTableProps) {
  const { route } = useLocation()
  return (
    <div class="card table-wrap">
      <table class="table">
        <thead>
          <tr>
            <th>Name</th>
            <th>State</th>
            <th>Captured</th>
            {consumersOf && <th class="num">Consumers</th>}
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
                  <RowLink href={`/sources/${name}`}>{name}</RowLink>
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
                {consumersOf && <td class="num">{consumersOf(name)}</td>}
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
  )
}
