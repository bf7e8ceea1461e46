import pg from 'pg'

import type { BackfillPosition } from '../storage/schema-types.ts'
import type { TableDescription } from './describe-table.ts'

/** What the rows of a backfill are chosen by. */
export interface PageChoice {
  readonly predicate: string | null
  /** Inclusive; null: from the first. */
  readonly fromKey: readonly string[] | null
  /** Behind what was read; null: nothing was. */
  readonly position: BackfillPosition | null
}

const PLACE = '"millrace place"'
const WANTED = '"millrace wanted"'

/**
 * The statement that reads one page. Its rows are: whether the row is wanted, the
 * published columns (null where not wanted), and the key or place.
 *
 * The page is cut out of the table first and the predicate looked at after that, so that
 * no page searches through the table for rows that match: each has an end.
 */
export function writePageQuery(table: TableDescription, choice: PageChoice, size: number): string {
  const conditions = [choice.predicate, table.filter].filter((text) => text !== null)
  const wanted = conditions.length === 0 ? 'true' : conditions.map(writeCondition).join(' and ')
  const columns = table.message.columns.map(({ name }) => pg.escapeIdentifier(name))
  const shown =
    conditions.length === 0
      ? columns
      : columns.map((name) => `case when ${WANTED} then ${name} end`)
  const ends =
    table.key.length > 0 ? table.key.map(({ name }) => pg.escapeIdentifier(name)) : [PLACE]
  const needed =
    conditions.length === 0 && table.key.length > 0
      ? [...new Set([...columns, ...ends])].join(', ')
      : '*'
  const rows =
    table.key.length > 0 ? byKey(table, choice, size, needed) : byPlace(table, choice, size)
  const alias = pg.escapeIdentifier(table.table)
  return `select ${[WANTED, ...shown, ...ends].join(', ')}
    from (select *, ${wanted} as ${WANTED} from (${rows}) as ${alias}) as ${alias}
    order by ${ends.join(', ')}`
}

/** On lines of its own: a comment in it ends there. */
export function writeCondition(sql: string): string {
  return `((\n${sql}\n) is true)`
}

/** Rows are compared as the index compares them: with the columns' own types and collations. */
export function writeKeyCondition(
  { key }: TableDescription,
  operator: '>' | '>=',
  texts: readonly string[],
): string {
  const columns = key.map(({ name }) => pg.escapeIdentifier(name)).join(', ')
  const values = key
    .map(({ type }, index) => `${pg.escapeLiteral(texts[index]!)}::${type}`)
    .join(', ')
  return `(${columns}) ${operator} (${values})`
}

function byKey(table: TableDescription, choice: PageChoice, size: number, columns: string): string {
  const { position, fromKey } = choice
  let where = ''
  if (position && 'key' in position) where = `where ${writeKeyCondition(table, '>', position.key)}`
  else if (fromKey) where = `where ${writeKeyCondition(table, '>=', fromKey)}`
  const order = table.key.map(({ name }) => pg.escapeIdentifier(name)).join(', ')
  return `select ${columns} from ${table.from} ${where} order by ${order} limit ${size}`
}

/** `size` is in blocks here. */
function byPlace(table: TableDescription, { position }: PageChoice, size: number): string {
  const { place, before } = placesOf(table, position, size)
  return `select ctid as ${PLACE}, * from ${table.from}
    where ctid > '${place}'::tid and ctid < '(${before},0)'::tid`
}

/** Behind which place a page begins, and the block before which it ends. */
export function placesOf(
  table: TableDescription,
  position: BackfillPosition | null,
  size: number,
): { place: string; before: number; blocks: number } {
  // Rows that come to lie behind the end are inserted or updated meanwhile: the stream has them.
  const { place, blocks } =
    position && 'place' in position ? position : { place: '(0,0)', blocks: table.blocks }
  const block = Number(/^\((\d+),\d+\)$/.exec(place)![1])
  return { place, before: Math.min(block + size, blocks), blocks }
}
