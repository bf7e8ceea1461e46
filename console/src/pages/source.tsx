import { useLocation, useRoute } from 'preact-iso'
import { useState } from 'preact/hooks'

import { client } from '../api.ts'
import { useLive } from '../live.ts'
import { may } from '../session.ts'
import { Menu } from '../ui/menu.tsx'
import { Loaded } from '../ui/parts.tsx'
import { SourceState } from '../ui/source-state.tsx'
import { SourceTrouble } from '../ui/source-trouble.tsx'
import { useQuery } from '../use-query.ts'
import { useTitle } from '../use-title.ts'
import { Backfills } from './backfills.tsx'
import { Changes } from './changes.tsx'
import { DeleteSource } from './delete-source.tsx'
import { SourceHealth } from './source-health.tsx'
import { SourceTables } from './source-tables.tsx'

const TABS = [
  ['', 'Changes'],
  ['health', 'Health'],
  ['tables', 'Tables'],
  ['backfills', 'Backfills'],
] as const

export function Source() {
  const { params } = useRoute()
  const name = params['source'] ?? ''
  const tab = params['tab'] ?? ''
  const { overview } = useLive()
  const { route } = useLocation()
  const [isDeleting, setIsDeleting] = useState(false)
  const query = useQuery(name, (signal) => client.sources.get(name, { signal }))
  useTitle(name)
  const live = overview?.sources.find((source) => source.name === name)
  const state = live?.state
  return (
    <div class="page">
      <div class="page-head">
        <div>
          <nav class="crumbs" aria-label="Path">
            <a href="/sources">Sources</a> /
          </nav>
          <h1>
            {name} {state && <SourceState state={state} />}
          </h1>
          {query.data && (
            <p>
              {query.data.database} on {query.data.host}:{query.data.port}
            </p>
          )}
        </div>
        {may('admin') && query.data && (
          <Menu
            label="More"
            items={[{ label: 'Delete …', danger: true, run: () => setIsDeleting(true) }]}
          />
        )}
      </div>
      {live && <SourceTrouble source={live} />}
      <nav class="tabs" aria-label="Of this source">
        {TABS.map(([key, text]) => (
          <a
            key={key}
            href={`/sources/${name}${key && `/${key}`}`}
            aria-current={key === tab ? 'page' : undefined}
          >
            {text}
          </a>
        ))}
      </nav>
      <Loaded query={query}>
        {({ publication }) => (
          <>
            {tab === '' && <Changes source={name} />}
            {tab === 'health' && <SourceHealth source={name} />}
            {tab === 'tables' && <SourceTables source={name} publication={publication} />}
            {tab === 'backfills' && <Backfills of={{ source: name }} tables={[]} />}
          </>
        )}
      </Loaded>
      {isDeleting && (
        <DeleteSource
          name={name}
          onClose={() => setIsDeleting(false)}
          onDeleted={() => route('/sources')}
        />
      )}
    </div>
  )
}
