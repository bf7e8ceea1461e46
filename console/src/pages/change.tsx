import { useRoute } from 'preact-iso'

import { formatTime } from '../format.ts'
import { useLive } from '../live.ts'
import { getChange } from '../messages.ts'
import { CopyButton } from '../ui/button.tsx'
import { JsonCode } from '../ui/code.tsx'
import { FanOut } from '../ui/fan-out.tsx'
import { formatJson } from '../ui/json.tsx'
import { Ago, Empty, Label, Loaded } from '../ui/parts.tsx'
import { useQuery } from '../use-query.ts'
import { useTitle } from '../use-title.ts'
import { metadataOf, Record } from './record.tsx'

const EVERY_MS = 1500

/** One change, and where it stands with everybody who is to get it. */
export function Change() {
  const { params } = useRoute()
  const source = params['source'] ?? ''
  const seq = Number(params['seq'])
  useTitle(`Change ${seq}`)
  const { overview } = useLive()
  const query = useQuery(`${source} ${seq}`, (signal) => getChange(source, seq, signal), {
    everyMs: EVERY_MS,
  })
  return (
    <Loaded query={query}>
      {(change) => (
        <div class="page">
          <div class="page-head">
            <div>
              <nav class="crumbs" aria-label="Path">
                <a href="/sources">Sources</a> / <a href={`/sources/${source}`}>{source}</a> /
              </nav>
              <h1>
                Change {seq} <Label>{change.action}</Label>
              </h1>
              <p>
                Row {change.key ?? 'without a key'} of {change.table_schema}.{change.table_name},
                committed{' '}
                <span title={formatTime(change.commit_timestamp)}>
                  <Ago time={change.commit_timestamp} />
                </span>
              </p>
            </div>
            <CopyButton label="Copy as JSON" text={() => formatJson(change)} />
          </div>
          {change.consumers.length === 0 ? (
            <div class="card">
              <Empty title="Nobody gets it">
                No consumer selects this change: its table, action or filter is another.
              </Empty>
            </div>
          ) : (
            <FanOut source={source} change={change} consumers={overview?.consumers ?? []} />
          )}
          <div class="split">
            <div class="stack">
              <Record message={change} />
            </div>
            <section class="section">
              <h3>Metadata</h3>
              <JsonCode value={metadataOf(change)} label="Metadata" />
            </section>
          </div>
        </div>
      )}
    </Loaded>
  )
}
