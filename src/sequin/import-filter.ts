import { isFields, toText } from './import-notes.ts'

const COMPARISONS: Record<string, string> = {
  '=': '==',
  '==': '==',
  '!=': '!=',
  '>': '>',
  '<': '<',
  '>=': '>=',
  '<=': '<=',
}

/** Sequin's column filters as one CEL expression; undefined where one of them has no like. */
export function importFilters(filters: readonly unknown[]): string | undefined {
  const parts = filters.map(importFilter)
  return parts.every((part) => part !== undefined) && parts.length > 0
    ? parts.join(' && ')
    : undefined
}

function importFilter(filter: unknown): string | undefined {
  if (!isFields(filter)) return undefined
  const { column_name: column, operator, comparison_value: value, field_path: path } = filter
  if (typeof column !== 'string' || typeof operator !== 'string') return undefined
  const keys = [column, ...(typeof path === 'string' && path !== '' ? path.split('.') : [])]
  const place = `record${keys.map(writeKey).join('')}`
  const word = operator.toLowerCase()
  if (word === 'is null') return `${place} == null`
  if (word === 'is not null') return `${place} != null`
  if (word === 'in' || word === 'not in') {
    if (!Array.isArray(value)) return undefined
    const isIn = `${place} in [${value.map((item) => JSON.stringify(item)).join(', ')}]`
    return word === 'in' ? isIn : `!(${isIn})`
  }
  const comparison = COMPARISONS[word]
  if (comparison === undefined || value === undefined || typeof value === 'object') return undefined
  return `${place} ${comparison} ${JSON.stringify(value)}`
}

function writeKey(key: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
}

/** What takes tables and schemas out, as an expression; undefined: nothing is taken out. */
export function excludeTables(
  schemas: readonly unknown[],
  tables: readonly unknown[],
): string | undefined {
  const parts = [
    ...schemas.map((schema) => `metadata.table_schema == ${JSON.stringify(toText(schema))}`),
    ...tables.map((table) => {
      const [schema, name] = splitTable(toText(table))
      return `(metadata.table_schema == ${JSON.stringify(schema)} && metadata.table_name == ${JSON.stringify(name)})`
    }),
  ]
  return parts.length === 0 ? undefined : `!(${parts.join(' || ')})`
}

/** Without a schema it is `public`, as for Sequin. */
export function splitTable(table: string): [schema: string, name: string] {
  const at = table.indexOf('.')
  return at === -1 ? ['public', table] : [table.slice(0, at), table.slice(at + 1)]
}
