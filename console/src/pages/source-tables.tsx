import { useState } from 'preact/hooks'

import { client } from '../api.ts'
import { formatCount } from '../format.ts'
import { CopyButton } from '../ui/button.tsx'
import { Empty, Label, Loaded, Tag } from '../ui/parts.tsx'
import { useQuery } from '../use-query.ts'

const TABLES_SHOWN_MAX = 200

interface SourceTablesProps {
  source: string
  publication: string
}

/** The tables of its database, and which of them are captured. */
export function SourceTables({ source, publication }: SourceTablesProps) {
  const [search, setSearch] = useState('')
  const query = useQuery(source, (signal) => client.sources.tables(source, { signal }))
  return (
    <Loaded query={query}>
      {({ data }) => {
        const found = data.filter(({ schema, table }) => `${schema}.${table}`.includes(search))
        return (
          <div class="section">
            <div class="section-head">
              <span class="muted small">
                {formatCount(found.length)} of {formatCount(data.length)} tables
              </span>
              <input
                class="input compact"
                type="search"
                data-search
                aria-label="Search tables"
                placeholder="Search tables"
                value={search}
                onInput={(event) => setSearch(event.currentTarget.value)}
              />
            </div>
            <div class="card table-wrap">
              {found.length === 0 ? (
                <Empty title="No table">
                  {data.length === 0
                    ? 'The database has no tables yet.'
                    : 'No table has this in its name.'}
                </Empty>
              ) : (
                <table class="table">
                  <thead>
                    <tr>
                      <th>Table</th>
                      <th>Captured</th>
                      <th>Replica identity</th>
                      <th class="num">Columns</th>
                      <th class="num">Rows, about</th>
                    </tr>
                  </thead>
                  <tbody>
                    {found.slice(0, TABLES_SHOWN_MAX).map((table) => (
                      <tr key={`${table.schema}.${table.table}`}>
                        <td>
                          <span class="faint">{table.schema}.</span>
                          {table.table}
                        </td>
                        <td class="nowrap">
                          {table.captured ? (
                            <Tag tone="ok">Captured</Tag>
                          ) : (
                            <CopyButton
                              label="SQL to capture it"
                              text={captureSql(publication, table)}
                            />
                          )}
                        </td>
                        <td>
                          <Label>{table.replica_identity}</Label>
                        </td>
                        <td class="num">{table.columns.length}</td>
                        <td class="num">
                          {table.estimated_rows === null ? '–' : formatCount(table.estimated_rows)}
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              )}
            </div>
            {found.length > TABLES_SHOWN_MAX && (
              <p class="hint">The first {TABLES_SHOWN_MAX} are shown; search for the others.</p>
            )}
          </div>
        )
      }}
    </Loaded>
  )
}

/** Whoever owns the table runs it; the source notices by itself. */
function captureSql(
  publication: string,
  { schema, table }: { schema: string; table: string },
): string {
  return `alter publication ${quoteName(publication)} add table ${quoteName(schema)}.${quoteName(table)};`
}

function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
