import { Select } from '../ui/field.tsx'
import { SearchField } from '../ui/search-field.tsx'

export interface Filters {
  table: string
  key: string
  /** Minutes back; `time`: since the moment in `time`; empty: all. */
  since: string
  /** As an input of the type datetime-local has it. */
  time: string
}

export const NO_FILTERS: Filters = { table: '', key: '', since: '', time: '' }

const SINCE = [
  ['', 'Any time'],
  ['5', 'The last 5 minutes'],
  ['60', 'The last hour'],
  ['1440', 'The last day'],
  ['time', 'Since a moment …'],
] as const

interface MessageFiltersProps {
  filters: Filters
  onChange: (filters: Filters) => void
  /** To choose from while a table is typed: `schema.table`. */
  tables?: readonly string[]
}

/** What a list is narrowed to; the server does it. */
export function MessageFilters({ filters, onChange, tables = [] }: MessageFiltersProps) {
  return (
    <div class="row">
      <SearchField
        label="Table"
        placeholder="Table: public.orders"
        suggestions={tables.filter((table) => !table.includes('*'))}
        isFirst
        value={filters.table}
        onSearch={(table) => onChange({ ...filters, table })}
      />
      <SearchField
        label="Key"
        placeholder="Key: 42"
        value={filters.key}
        onSearch={(key) => onChange({ ...filters, key })}
      />
      <Select
        label="Committed"
        hideLabel
        value={filters.since}
        options={SINCE}
        onChange={(since) => onChange({ ...filters, since })}
      />
      {filters.since === 'time' && (
        <input
          class="input compact"
          type="datetime-local"
          aria-label="Committed since, in your time zone"
          value={filters.time}
          onChange={(event) => onChange({ ...filters, time: event.currentTarget.value })}
        />
      )}
    </div>
  )
}

/** Whether a list is narrowed at all. */
export function isFiltered(filters: Filters): boolean {
  return Object.keys(toQuery(filters)).length > 0
}

/** As the API takes them. */
export function toQuery({ table, key, since, time }: Filters): {
  table?: string
  key?: string
  from?: string
} {
  const from = since === 'time' ? Date.parse(time) : Date.now() - Number(since) * 60_000
  return {
    ...(table === '' ? {} : { table: table.includes('.') ? table : `public.${table}` }),
    ...(key === '' ? {} : { key }),
    ...(since === '' || Number.isNaN(from) ? {} : { from: new Date(from).toISOString() }),
  }
}
