import pg from 'pg'

import type { RelationMessage, ReplicaIdentity } from '../capture/pgoutput/message.ts'

/** Why a backfill of a table cannot be done, whoever tries again. */
export class UnfitTableError extends Error {
  override readonly name = 'UnfitTableError'
}

export interface KeyColumn {
  readonly name: string
  /** As `format_type` says it, to cast a text to. */
  readonly type: string
}

/** A captured table as a backfill reads it. */
export interface TableDescription {
  readonly oid: number
  readonly schema: string
  readonly table: string
  /** Quoted. */
  readonly name: string
  /** Quoted, and `only` where it may have heirs that are captured by themselves. */
  readonly from: string
  /** As the stream would describe it. */
  readonly message: RelationMessage
  /** As `planRows` takes it. */
  readonly primaryKey: readonly string[] | null
  /** By which it is read, in the order of the index; empty: by place. */
  readonly key: readonly KeyColumn[]
  /** Another one where the key is another: places in the one order mean nothing in the other. */
  readonly order: string
  /** SQL of the publication's row filter. */
  readonly filter: string | null
  readonly blocks: number
  /** What the table is stored in: another one after it was rewritten. */
  readonly file: string
  /** The role may lock it, as it may with a privilege on the whole of the table. */
  readonly mayLock: boolean
  /** The same as long as nothing of this but `blocks` is another. */
  readonly text: string
}

interface TableRow {
  oid: string
  kind: string
  identity: ReplicaIdentity
  columns: { name: string; typeOid: number; published: boolean; identifies: boolean }[]
  key: KeyColumn[] | null
  primaryKey: string[]
  filter: string | null
  rowSecurity: boolean
  mayLock: boolean
  file: string | null
}

/** What is asked of the catalogue. */
export interface TableName {
  readonly schema: string
  readonly table: string
}

/**
 * `attnames` and `rowfilter` are there since Postgres 15. A deferrable primary key is no
 * replica identity, but good enough to read by.
 */
const DESCRIPTION = `json_build_object(
  'oid', c.oid::bigint::text, 'kind', c.relkind, 'identity', c.relreplident,
  'columns', (select json_agg(json_build_object('name', a.attname, 'typeOid', a.atttypid::bigint,
     'published', coalesce(to_jsonb(p) -> 'attnames' ? a.attname, a.attgenerated = ''),
     'identifies', exists (
       select from pg_index i where i.indrelid = c.oid and i.indimmediate and a.attnum = any (i.indkey)
         and case c.relreplident when 'd' then i.indisprimary when 'i' then i.indisreplident else false end)
   ) order by a.attnum)
   from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
  'key', (select json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) order by k.place)
   from (
     select indkey from pg_index i
     where i.indrelid = c.oid and i.indisvalid and (i.indisprimary or i.indisreplident)
     order by i.indisprimary desc limit 1
   ) as best
   cross join lateral unnest(best.indkey::int2[]) with ordinality as k (attnum, place)
   join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum),
  'primaryKey', (select coalesce(json_agg(a.attname order by a.attnum), '[]')
   from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
   where i.indrelid = c.oid and i.indisprimary),
  'filter', to_jsonb(p) ->> 'rowfilter',
  'rowSecurity', row_security_active(c.oid),
  'mayLock', has_table_privilege(c.oid, 'select'),
  'file', pg_relation_filenode(c.oid)::text)::text`

/** One row of the description's text and the number of blocks, or none. */
export function writeDescribeQuery(publication: string, { schema, table }: TableName): string {
  const [p, s, t] = [publication, schema, table].map((name) => pg.escapeLiteral(name))
  return `select ${DESCRIPTION} as text,
      (pg_relation_size(c.oid) / current_setting('block_size')::int)::text as blocks
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_publication_tables p on p.pubname = ${p} and p.schemaname = n.nspname and p.tablename = c.relname
    where n.nspname = ${s} and c.relname = ${t}`
}

/** @throws UnfitTableError where it is not captured, or cannot be read row by row */
export async function describeTable(
  client: pg.ClientBase,
  publication: string,
  { schema, table }: TableName,
): Promise<TableDescription> {
  const { rows } = await client.query<{ text: string; blocks: string | null }>(
    writeDescribeQuery(publication, { schema, table }),
  )
  const name = `${schema}.${table}`
  if (!rows[0]) throw new UnfitTableError(`the table "${name}" is not in the publication`)
  const { text, blocks } = rows[0]
  const row = JSON.parse(text) as TableRow
  if (row.rowSecurity) {
    throw new UnfitTableError(
      `row security hides rows of "${name}" from this role: alter role … bypassrls`,
    )
  }
  if (row.key === null && row.kind === 'p') {
    throw new UnfitTableError(`"${name}" is partitioned and has no primary key to read it by`)
  }
  const columns = row.columns
    .filter(({ published }) => published)
    .map((column) => ({
      name: column.name,
      typeOid: column.typeOid,
      key: row.identity === 'f' || column.identifies,
    }))
  const quoted = `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(table)}`
  const key = row.key ?? []
  return {
    oid: Number(row.oid),
    schema,
    table,
    name: quoted,
    from: row.kind === 'p' ? quoted : `only ${quoted}`,
    message: {
      kind: 'relation',
      oid: Number(row.oid),
      schema,
      table,
      replicaIdentity: row.identity,
      columns,
    },
    primaryKey: row.identity === 'f' || row.identity === 'n' ? row.primaryKey : null,
    key,
    order: key.map(({ name: column, type }) => `${column} ${type}`).join(', '),
    filter: row.filter,
    blocks: Number(blocks ?? 0),
    file: row.file ?? '',
    mayLock: row.mayLock,
    text,
  }
}

/** The tables of a publication. */
export async function listPublished(
  client: pg.ClientBase,
  publication: string,
): Promise<TableName[]> {
  const { rows } = await client.query<TableName>(
    `select schemaname as schema, tablename as table from pg_publication_tables
     where pubname = $1 order by 1, 2`,
    [publication],
  )
  return rows
}
