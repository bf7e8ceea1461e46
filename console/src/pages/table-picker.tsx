import { useState } from 'preact/hooks'

import { formatCount } from '../format.ts'
import type { Query } from '../use-query.ts'
import { Check } from '../ui/field.tsx'
import { Label, Loaded } from '../ui/parts.tsx'

interface Table {
  schema: string
  table: string
  captured: boolean
  estimated_rows: number | null
}

interface TablePickerProps {
  query: Query<readonly Table[]>
  /** `schema.table`, `schema.*` or `*` */
  selected: readonly string[]
  error: string | undefined
  onChange: (selected: string[]) => void
}

const SHOWN_MAX = 100
/** Fewer are found by looking. */
const SEARCH_MIN = 8

export function TablePicker({ query, selected, error, onChange }: TablePickerProps) {
  const [search, setSearch] = useState('')
  const toggle = (pattern: string, checked: boolean): void =>
    onChange(checked ? [...selected, pattern] : selected.filter((each) => each !== pattern))
  return (
    <fieldset class="field">
      <legend>Tables</legend>
      <Loaded query={query} skeletons={2}>
        {(tables) => {
          const captured = tables.filter((table) => table.captured)
          const found = captured.filter(({ schema, table }) =>
            `${schema}.${table}`.includes(search.toLowerCase()),
          )
          const schemas = [...new Set(found.map(({ schema }) => schema))]
          const everything = selected.includes('*')
          return (
            <div class="card picker">
              {captured.length >= SEARCH_MIN && (
                <input
                  class="input"
                  type="search"
                  aria-label="Search tables"
                  placeholder="Search tables"
                  value={search}
                  onInput={(event) => setSearch(event.currentTarget.value)}
                />
              )}
              {search === '' && (
                <Check checked={everything} onChange={(checked) => onChange(checked ? ['*'] : [])}>
                  All tables, those to come included
                </Check>
              )}
              {!everything &&
                schemas.map((schema) => {
                  const all = `${schema}.*`
                  const isWhole = selected.includes(all)
                  return (
                    <div key={schema} class="picker-schema">
                      <Check checked={isWhole} onChange={(checked) => toggle(all, checked)}>
                        <strong>{schema}</strong> <span class="faint">all of it</span>
                      </Check>
                      {!isWhole &&
                        found
                          .filter((table) => table.schema === schema)
                          .slice(0, SHOWN_MAX)
                          .map(({ table, estimated_rows: rows }) => (
                            <Check
                              key={table}
                              checked={selected.includes(`${schema}.${table}`)}
                              onChange={(checked) => toggle(`${schema}.${table}`, checked)}
                            >
                              {table}{' '}
                              {rows !== null && rows > 0 && (
                                <span class="faint small">about {formatCount(rows)} rows</span>
                              )}
                            </Check>
                          ))}
                    </div>
                  )
                })}
              {captured.length < tables.length && (
                <p class="hint">
                  <Label>{formatCount(tables.length - captured.length)} more</Label> of the database
                  are not in the source’s publication.
                </p>
              )}
            </div>
          )
        }}
      </Loaded>
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
    </fieldset>
  )
}
