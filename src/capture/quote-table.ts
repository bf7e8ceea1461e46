/** For SQL that is shown or run: exactly this name, whatever is in it. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** `schema.table` as a consumer writes it, quoted; without a schema it is `public`. */
export function quoteTable(name: string): string {
  const dot = name.indexOf('.')
  const [schema, table] = dot === -1 ? ['public', name] : [name.slice(0, dot), name.slice(dot + 1)]
  return `${quoteIdentifier(schema)}.${quoteIdentifier(table)}`
}
