import type pg from 'pg'

import { MillraceError } from '../errors.ts'
import type { Database } from '../storage/database.ts'
import { connectSource } from './connect-source.ts'
import type { SourceKeys } from './create-source.ts'
import { findSource, readSourceSettings } from './source.ts'
import { sourceNotFound } from './update-source.ts'

export interface CapturableTable {
  readonly schema: string
  readonly table: string
  /** The publication holds it. */
  readonly captured: boolean
  readonly replicaIdentity: 'default' | 'full' | 'index' | 'nothing'
  readonly columns: readonly {
    readonly name: string
    readonly type: string
    readonly key: boolean
  }[]
  readonly primaryKey: readonly string[]
  /** As the planner believes; null: it was never analysed. */
  readonly estimatedRows: number | null
}

const TABLES_MAX = 10_000

const READ_TABLES = `
select n.nspname as schema, c.relname as table,
  exists (select from pg_publication_tables p where p.pubname = $1
          and p.schemaname = n.nspname and p.tablename = c.relname) as captured,
  case c.relreplident when 'f' then 'full' when 'i' then 'index' when 'n' then 'nothing'
                      else 'default' end as "replicaIdentity",
  (select coalesce(json_agg(json_build_object(
            'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
            'key', coalesce(a.attnum = any (i.indkey), false)) order by a.attnum), '[]')
   from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
  (select coalesce(json_agg(a.attname order by a.attnum), '[]')
   from pg_attribute a where a.attrelid = c.oid and a.attnum = any (i.indkey)) as "primaryKey",
  nullif(c.reltuples, -1)::float8 as "estimatedRows"
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_index i on i.indrelid = c.oid and i.indisprimary
where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence = 'p'
  and n.nspname not in ('pg_catalog', 'information_schema', 'millrace') and n.nspname !~ '^pg_'
order by 1, 2
limit ${TABLES_MAX}`

/** The tables of a source's database; of partitioned ones the root. */
export async function listSourceTables(
  database: Database,
  idOrName: string,
  { secretKey }: SourceKeys,
): Promise<CapturableTable[]> {
  const source = await findSource(database.db, idOrName)
  if (!source) throw sourceNotFound(idOrName)
  const settings = await readSourceSettings(database.db, source.sourceNo, secretKey)
  if (!settings) throw sourceNotFound(idOrName)
  let client: pg.Client | undefined
  try {
    client = (await connectSource(settings, 'millrace tables')).client
    const { rows } = await client.query<CapturableTable>(READ_TABLES, [settings.publication])
    return rows
  } catch (error) {
    throw new MillraceError('source_unreachable', `Source "${source.name}" does not answer.`, {
      cause: error,
    })
  } finally {
    await client?.end().catch(() => undefined)
  }
}
