import { useLocation } from 'preact-iso'
import { useState } from 'preact/hooks'

import { useShortcuts } from '../keyboard.ts'
import { listChanges } from '../messages.ts'
import { formatInline } from '../ui/json.tsx'
import { Pager, usePages } from '../ui/pager.tsx'
import { Ago, Empty, Label, Loaded } from '../ui/parts.tsx'
import { useQuery } from '../use-query.ts'
import { MessageFilters, NO_FILTERS, toQuery } from './message-filters.tsx'

const PAGE = 50

/** The log of a source. */
export function Changes({ source }: { source: string }) {
  const { route } = useLocation()
  const [filters, setFilters] = useState(NO_FILTERS)
  const [at, setAt] = useState(-1)
  const key = `${source} ${JSON.stringify(filters)}`
  const pages = usePages(key)
  const query = useQuery(`${key} ${pages.cursor ?? ''}`, (signal) =>
    listChanges(
      source,
      { limit: PAGE, cursor: pages.cursor, order: 'newest', ...toQuery(filters) },
      signal,
    ),
  )
  const rows = query.data?.data ?? []
  const open = (seq: number): void => route(`/sources/${source}/changes/${seq}`)
  const move = (by: number): void => {
    const next = Math.min(rows.length - 1, Math.max(0, at + by))
    setAt(next)
    document.querySelector(`[data-row="${next}"]`)?.scrollIntoView({ block: 'nearest' })
  }
  useShortcuts({
    j: () => move(1),
    k: () => move(-1),
    Enter: () => {
      const row = rows[at]
      if (row) open(row.seq)
    },
  })
  return (
    <section class="section" aria-label="Changes">
      <div class="section-head">
        <MessageFilters filters={filters} onChange={setFilters} />
      </div>
      <div class="card">
        <Loaded query={query}>
          {({ data, next_cursor: nextCursor }) =>
            data.length === 0 ? (
              <Empty title="No changes">
                The log holds none of these. Change a row of a captured table, and it is here at
                once.
              </Empty>
            ) : (
              <>
                <div class="table-wrap">
                  <table class="table">
                    <thead>
                      <tr>
                        <th>Change</th>
                        <th>Table</th>
                        <th>Key</th>
                        <th>Committed</th>
                        <th>Record</th>
                      </tr>
                    </thead>
                    <tbody>
                      {data.map((change, index) => (
                        <tr
                          key={change.seq}
                          data-row={index}
                          class={index === at ? 'link is-current' : 'link'}
                          onClick={() => open(change.seq)}
                        >
                          <td class="nowrap">
                            <a
                              class="plain mono"
                              href={`/sources/${source}/changes/${change.seq}`}
                              onClick={(event) => event.stopPropagation()}
                            >
                              {change.seq}
                            </a>{' '}
                            <Label>{change.action}</Label>
                          </td>
                          <td class="nowrap">
                            <span class="faint">{change.table_schema}.</span>
                            {change.table_name}
                          </td>
                          <td class="mono nowrap">{change.key ?? '–'}</td>
                          <td class="min muted">
                            <Ago time={change.commit_timestamp} />
                          </td>
                          <td class="clip muted">{formatInline(change.record)}</td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </div>
                <Pager pages={pages} nextCursor={nextCursor} />
              </>
            )
          }
        </Loaded>
      </div>
    </section>
  )
}
