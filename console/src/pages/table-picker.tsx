import { useState } from 'preact/hooks'

import { formatCount, formatPlural } from '../format.ts'
import type { Query } from '../use-query.ts'
import { Check } from '../ui/field.tsx'
import { Icon } from '../ui/icon.tsx'
import { Loaded } from '../ui/parts.tsx'

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
/** With so few a search field would be in the way. */
const SEARCH_MIN = 6
/** A single schema is open from the start. */
const OPEN_MAX = 1

/** A source's tables as a tree of its schemas, to be searched and chosen from. */
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
          const wanted = search.trim().toLowerCase()
          const found = captured.filter(({ schema, table }) =>
            `${schema}.${table}`.toLowerCase().includes(wanted),
          )
          const schemas = Map.groupBy(found, ({ schema }) => schema)
          const everything = selected.includes('*')
          return (
            <div class="card picker">
              {captured.length >= SEARCH_MIN && (
                <input
                  class="input"
                  type="search"
                  data-search
                  aria-label="Search tables"
                  placeholder={`Search ${formatPlural(captured.length, 'table')}`}
                  value={search}
                  onInput={(event) => setSearch(event.currentTarget.value)}
                />
              )}
              {wanted === '' && (
                <Check checked={everything} onChange={(checked) => onChange(checked ? ['*'] : [])}>
                  All tables, those to come included
                </Check>
              )}
              {!everything &&
                [...schemas].map(([schema, members]) => (
                  <Schema
                    key={schema}
                    schema={schema}
                    tables={members}
                    selected={selected}
                    isOpen={wanted !== '' || schemas.size <= OPEN_MAX}
                    onToggle={toggle}
                  />
                ))}
              {!everything && found.length === 0 && (
                <p class="hint">
                  {captured.length === 0
                    ? 'The source’s publication holds no table yet.'
                    : 'No table has this in its name.'}
                </p>
              )}
              {captured.length < tables.length && (
                <p class="hint">
                  {formatCount(tables.length - captured.length)} more of the database are not in the
                  source’s publication.
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

interface SchemaProps {
  schema: string
  tables: readonly Table[]
  selected: readonly string[]
  /** At first; people open and close it after that. */
  isOpen: boolean
  onToggle: (pattern: string, checked: boolean) => void
}

function Schema({ schema, tables, selected, isOpen, onToggle }: SchemaProps) {
  const [opened, setOpened] = useState<boolean>()
  const all = `${schema}.*`
  const isWhole = selected.includes(all)
  const chosen = tables.filter(({ table }) => selected.includes(`${schema}.${table}`)).length
  const isShown = !isWhole && (opened ?? (isOpen || chosen > 0))
  return (
    <div class="picker-schema">
      <div class="picker-head">
        <button
          type="button"
          class="picker-fold"
          aria-expanded={isShown}
          aria-label={`Tables of ${schema}`}
          disabled={isWhole}
          onClick={() => setOpened(!isShown)}
        >
          <Icon name="chevron" />
        </button>
        <Check checked={isWhole} onChange={(checked) => onToggle(all, checked)}>
          <strong>{schema}</strong> <span class="faint">all of it</span>
        </Check>
        <span class="faint small picker-count">
          {isWhole
            ? formatPlural(tables.length, 'table')
            : `${chosen} of ${formatCount(tables.length)}`}
        </span>
      </div>
      {isShown && (
        <div class="picker-tables">
          {tables.slice(0, SHOWN_MAX).map(({ table, estimated_rows: rows }) => (
            <Check
              key={table}
              checked={selected.includes(`${schema}.${table}`)}
              onChange={(checked) => onToggle(`${schema}.${table}`, checked)}
            >
              {table}{' '}
              {rows !== null && rows > 0 && (
                <span class="faint small">about {formatCount(rows)} rows</span>
              )}
            </Check>
          ))}
          {tables.length > SHOWN_MAX && (
            <p class="hint">
              {formatCount(tables.length - SHOWN_MAX)} more: search for them by name.
            </p>
          )}
        </div>
      )}
    </div>
  )
}
