import type { Relation } from '../../log/entry.ts'

/** `*`, `schema.*` or `schema.table`, with the names as Postgres keeps them. */
export type TablePattern =
  | { kind: 'all' }
  | { kind: 'schema'; schema: string }
  | { kind: 'table'; schema: string; table: string }

/** Postgres cuts longer names, so a longer one would match nothing. */
const NAME_BYTES_MAX = 63

/**
 * Reads a pattern of a consumer's `tables`. A name stands there as it is, capitals and
 * all; the schema ends at the first dot. A name that holds a dot of its own, a star or
 * a quote goes into double quotes, with inner quotes doubled.
 * Answers a sentence when the pattern is malformed.
 */
export function parseTablePattern(text: string): TablePattern | string {
  if (text === '*') return { kind: 'all' }
  if (text === '') return 'A table pattern is missing: write schema.table, schema.* or *.'

  const schema = readName(text, 0, '.')
  if (typeof schema === 'string') return schema
  if (text[schema.end] !== '.') {
    return `'${text}' names no schema: write public.${text}, or schema.* for all its tables.`
  }
  const rest = text.slice(schema.end + 1)
  if (rest === '*') return { kind: 'schema', schema: schema.name }

  const table = readName(rest, 0, null)
  if (typeof table === 'string') return table
  if (table.end !== rest.length) return `'${text}' goes on after the quoted table name.`
  return { kind: 'table', schema: schema.name, table: table.name }
}

function readName(
  text: string,
  start: number,
  until: string | null,
): { name: string; end: number } | string {
  if (text[start] === '"') return readQuotedName(text, start)
  const stop = until === null ? -1 : text.indexOf(until, start)
  const end = stop === -1 ? text.length : stop
  const name = text.slice(start, end)
  if (name.trim() !== name) return `'${name}' begins or ends with a space; quote it if it is meant.`
  if (name.includes('*')) {
    return `'${name}' holds a star, which only stands for a whole name: schema.* or *.`
  }
  if (name.includes('"')) return `'${name}' holds a quote: put the whole name in double quotes.`
  return checkName(name, end)
}

function readQuotedName(text: string, start: number): { name: string; end: number } | string {
  const match = /^"((?:[^"]|"")*)"/u.exec(text.slice(start))
  if (!match) return `The double quote in '${text}' is never closed.`
  return checkName(match[1]!.replaceAll('""', '"'), start + match[0].length)
}

function checkName(name: string, end: number): { name: string; end: number } | string {
  if (name === '') return 'A schema or table name is empty.'
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) {
    return `'${name}' is longer than the ${NAME_BYTES_MAX} bytes Postgres keeps of a name.`
  }
  return { name, end }
}

/** The pattern of one table; names are quoted where they could be read otherwise. */
export function quoteTableName({ schema, table }: Pick<Relation, 'schema' | 'table'>): string {
  const quote = (name: string): string =>
    name.trim() !== name || /[.*"]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name
  return `${quote(schema)}.${quote(table)}`
}

/** Whether any of the patterns takes the table. Malformed ones, which saving refuses, take none. */
export function compileTablePatterns(
  tables: readonly string[],
): (relation: Pick<Relation, 'schema' | 'table'>) => boolean {
  const schemas = new Set<string>()
  const tablesBySchema = new Map<string, Set<string>>()
  for (const text of tables) {
    const pattern = parseTablePattern(text)
    if (typeof pattern === 'string') continue
    if (pattern.kind === 'all') return () => true
    if (pattern.kind === 'schema') schemas.add(pattern.schema)
    else {
      const names = tablesBySchema.get(pattern.schema) ?? new Set()
      tablesBySchema.set(pattern.schema, names.add(pattern.table))
    }
  }
  return ({ schema, table }) =>
    schemas.has(schema) || (tablesBySchema.get(schema)?.has(table) ?? false)
}
