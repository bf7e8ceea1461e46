import { Select } from '../ui/field.tsx'

export interface Filters {
  table: string
  key: string
  /** Minutes back; empty: all. */
  since: string
}

export const NO_FILTERS: Filters = { table: '', key: '', since: '' }

const SINCE = [
  ['', 'Any time'],
  ['5', 'The last 5 minutes'],
  ['60', 'The last hour'],
  ['1440', 'The last day'],
] as const

/** What a list is narrowed to; the server does it. */
export function MessageFilters({
  filters,
  onChange,
}: {
  filters: Filters
  onChange: (filters: Filters) => void
}) {
  return (
    <div class="row">
      <input
        class="input compact"
        type="search"
        data-search
        aria-label="Table"
        placeholder="Table: public.orders"
        value={filters.table}
        onChange={(event) => onChange({ ...filters, table: event.currentTarget.value.trim() })}
      />
      <input
        class="input compact"
        type="search"
        aria-label="Key"
        placeholder="Key: 42"
        value={filters.key}
        onChange={(event) => onChange({ ...filters, key: event.currentTarget.value.trim() })}
      />
      <Select
        label="Committed"
        hideLabel
        value={filters.since}
        options={SINCE}
        onChange={(since) => onChange({ ...filters, since })}
      />
    </div>
  )
}

/** As the API takes them. */
export function toQuery({ table, key, since }: Filters): {
  table?: string
  key?: string
  from?: string
} {
  return {
    ...(table === '' ? {} : { table: table.includes('.') ? table : `public.${table}` }),
    ...(key === '' ? {} : { key }),
    ...(since === '' ? {} : { from: new Date(Date.now() - Number(since) * 60_000).toISOString() }),
  }
}
