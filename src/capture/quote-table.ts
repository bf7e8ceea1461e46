import pg from 'pg'

/** `schema.table` as a consumer writes it, quoted; without a schema it is `public`. */
export function quoteTable(name: string): string {
  const dot = name.indexOf('.')
  const [schema, table] = dot === -1 ? ['public', name] : [name.slice(0, dot), name.slice(dot + 1)]
  return `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(table)}`
}
