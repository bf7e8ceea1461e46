import type pg from 'pg'

import { createNotFound, MillraceError } from '../errors.ts'
import type { Database } from '../storage/database.ts'
import { connectSource } from './connect-source.ts'
import type { SourceKeys } from './create-source.ts'
import {
  ARRAY_OUTPUTS,
  readColumnTypes,
  type ColumnType,
  type TypeUse,
} from './read-column-types.ts'
import { expectSource, readSourceSettings } from './source.ts'

export interface TableColumn extends TypeUse {
  readonly name: string
  readonly key: boolean
  readonly nullable: boolean
  /** It arrives in `record`: the publication holds it, and generated columns are mostly left out. */
  readonly published: boolean
}

export interface CapturableTable {
  readonly schema: string
  readonly table: string
  /** The publication holds it. */
  readonly captured: boolean
  readonly replicaIdentity: 'default' | 'full' | 'index' | 'nothing'
  readonly columns: readonly TableColumn[]
  readonly primaryKey: readonly string[]
  /** As the planner believes; null: it was never analysed. */
  readonly estimatedRows: number | null
}

export interface SourceTables {
  readonly tables: CapturableTable[]
  /** Every type that a column has or is made of. */
  readonly types: ColumnType[]
}

interface TableRow extends CapturableTable {
  /** Of the columns, in their order; those of a type's own modifier apart. */
  readonly typeRefs: readonly { readonly oid: number; readonly typmod: number }[]
}

const TABLES_MAX = 10_000

/**
 * `attnames` is there since Postgres 15: before, all but generated columns are sent.
 * The number of dimensions is as declared; an array that was copied from another may say 0.
 */
const READ_TABLES = `
select n.nspname as schema, c.relname as table,
  p.tablename is not null as captured,
  case c.relreplident when 'f' then 'full' when 'i' then 'index' when 'n' then 'nothing'
                      else 'default' end as "replicaIdentity",
  columns.list as columns, columns.types as "typeRefs",
  (select coalesce(json_agg(a.attname order by a.attnum), '[]')
   from pg_attribute a where a.attrelid = c.oid and a.attnum = any (i.indkey)) as "primaryKey",
  nullif(c.reltuples, -1)::float8 as "estimatedRows"
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_index i on i.indrelid = c.oid and i.indisprimary
left join pg_publication_tables p on p.pubname = $1
  and p.schemaname = n.nspname and p.tablename = c.relname
cross join lateral (
  select
    coalesce(json_agg(json_build_object(
      'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
      'key', coalesce(a.attnum = any (i.indkey), false),
      'nullable', not a.attnotnull and not t.typnotnull,
      'published', coalesce(to_jsonb(p) -> 'attnames' ? a.attname, a.attgenerated = ''),
      'dimensions', case when t.typtype = 'b' and t.typoutput in ${ARRAY_OUTPUTS}
                         then greatest(a.attndims, 1) else 0 end) order by a.attnum), '[]') as list,
    coalesce(json_agg(json_build_object('oid', a.atttypid::bigint, 'typmod', a.atttypmod)
                      order by a.attnum), '[]') as types
  from pg_attribute a join pg_type t on t.oid = a.atttypid
  where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence = 'p'
  and n.nspname not in ('pg_catalog', 'information_schema', 'millrace') and n.nspname !~ '^pg_'
order by 1, 2
limit ${TABLES_MAX}`

function toTable({ typeRefs: _typeRefs, ...table }: TableRow): CapturableTable {
  return table
}

/** The tables of a source's database, of partitioned ones the root, and what their columns are made of. */
export async function listSourceTables(
  database: Database,
  idOrName: string,
  { secretKey }: SourceKeys,
): Promise<SourceTables> {
  const source = await expectSource(database.db, idOrName)
  const settings = await readSourceSettings(database.db, source.sourceNo, secretKey)
  if (!settings) throw createNotFound('source', idOrName)
  let client: pg.Client | undefined
  try {
    client = (await connectSource(settings, 'millrace tables')).client
    const { rows } = await client.query<TableRow>(READ_TABLES, [settings.publication])
    const types = await readColumnTypes(
      client,
      rows.flatMap(({ typeRefs }) => typeRefs),
    )
    return { tables: rows.map(toTable), types }
  } catch (error) {
    throw new MillraceError('source_unreachable', `Source "${source.name}" does not answer.`, {
      cause: error,
    })
  } finally {
    await client?.end().catch(() => undefined)
  }
}
