import pg from 'pg'

import { quoteTable } from './quote-table.ts'
import type { SourceCheck } from './source-check.ts'

/** Which tables are meant, and who makes the publication. */
export interface TableTarget {
  readonly publication: string
  /** `schema.table`; null: all. */
  readonly tables: readonly string[] | null
  /** The slot and the publication are made where they do not exist. */
  readonly create: boolean
}

interface TableRow {
  table: string
  found: boolean
  covered: boolean
  partitioned: boolean
  /** An update or delete finds its row. */
  identified: boolean
  owned: boolean
}

interface PublicationRow {
  updates: boolean
  /** Changes of partitions come under the name of the root. */
  viaRoot: boolean
}

/** At most so many tables are named in one detail. */
const NAMED_MAX = 10

/**
 * The asked tables as they are; null asks for all that a publication can hold. Each
 * partition counts by itself: it is its identity that an update needs.
 */
const READ_TABLES = `
select format('%I.%I', n.nspname, c.relname) as table, true as found,
  exists (select from pg_publication_tables p
          where p.pubname = $1 and p.schemaname = n.nspname and p.tablename = c.relname)
    or exists (select from pg_partition_ancestors(c.oid) as a (relid)
               join pg_class ac on ac.oid = a.relid
               join pg_namespace an on an.oid = ac.relnamespace
               join pg_publication_tables p on p.schemaname = an.nspname
                 and p.tablename = ac.relname and p.pubname = $1)
    -- Without publish_via_partition_root the leaves stand there in place of the root.
    or (c.relkind = 'p' and exists (
          select from pg_partition_tree(c.oid) as l
          join pg_class lc on lc.oid = l.relid
          join pg_namespace ln on ln.oid = lc.relnamespace
          join pg_publication_tables p on p.schemaname = ln.nspname
            and p.tablename = lc.relname and p.pubname = $1)) as covered,
  c.relkind = 'p' as partitioned,
  case c.relreplident
    when 'f' then true
    when 'n' then false
    when 'i' then exists (select from pg_index i where i.indrelid = c.oid and i.indisreplident)
    else exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary and i.indisvalid)
  end or c.relkind = 'p' as identified,
  pg_has_role(current_user, c.relowner, 'usage') as owned
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and c.relpersistence = 'p'
  and n.nspname not in ('pg_catalog', 'information_schema', 'millrace')
  and n.nspname !~ '^pg_'
  and ($2::text[] is null or c.oid = any (
    select t.oid from unnest($2::text[]) as asked (name)
    cross join lateral (
      select to_regclass(asked.name)::oid as oid
      union all select relid from pg_partition_tree(to_regclass(asked.name)) where isleaf
    ) as t))
order by 1`

const GENERATED_VERSION_MIN = 180_000

/**
 * A partitioned table is published under its own name, whatever its partitions are
 * called, and stored generated columns are where the server can.
 */
export function sqlCreatePublication(
  publication: string,
  tables: readonly string[] | null,
  serverVersion: number,
): string {
  const what = tables ? `for table ${tables.map(quoteTable).join(', ')}` : 'for all tables'
  const generated =
    serverVersion >= GENERATED_VERSION_MIN ? ', publish_generated_columns = stored' : ''
  return `create publication ${pg.escapeIdentifier(publication)} ${what} with (publish_via_partition_root = true${generated})`
}

/** As a number, such as 180004. */
export async function readServerVersion(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ version: number }>(
    `select current_setting('server_version_num')::int as version`,
  )
  return rows[0]!.version
}

export async function checkTables(client: pg.Client, target: TableTarget): Promise<SourceCheck[]> {
  const { publication } = target
  const tables = target.tables?.map(quoteTable) ?? null
  const publications = await client.query<PublicationRow>(
    `select pubupdate or pubdelete as updates, pubviaroot as "viaRoot"
     from pg_publication where pubname = $1`,
    [publication],
  )
  const existing = publications.rows[0]
  const { rows } = await client.query<TableRow>(READ_TABLES, [publication, tables])
  const missing = await findMissing(client, tables)
  const isSuper = await readSuper(client)
  const create = `${sqlCreatePublication(publication, target.tables, await readServerVersion(client))};`
  return [
    checkPublication(target, existing, rows, isSuper, create),
    checkCovered(target, existing, rows, missing),
    checkIdentity(existing, existing && tables === null ? rows.filter((row) => row.covered) : rows),
  ]
}

function checkPublication(
  { publication, tables, create }: TableTarget,
  existing: PublicationRow | undefined,
  rows: TableRow[],
  isSuper: boolean,
  sql: string,
): SourceCheck {
  const name = 'publication'
  if (existing) {
    return { name, status: 'pass', detail: `the publication "${publication}" exists`, sql: null }
  }
  if (!create) {
    return { name, status: 'fail', detail: `the publication "${publication}" does not exist`, sql }
  }
  const foreign = rows.filter((row) => !row.owned)
  const may = isSuper || (tables !== null && foreign.length === 0)
  if (may) {
    return {
      name,
      status: 'pass',
      detail: `the publication "${publication}" will be made`,
      sql: null,
    }
  }
  const detail =
    tables === null
      ? 'only a superuser may make a publication for all tables: run this as one, or name the tables'
      : `the role does not own ${listed(foreign)}: let the owner run this`
  return { name, status: 'fail', detail, sql }
}

function checkCovered(
  { publication, tables, create }: TableTarget,
  existing: PublicationRow | undefined,
  rows: TableRow[],
  missing: string[],
): SourceCheck {
  const name = 'tables_covered'
  if (missing.length > 0) {
    const detail = `there is no table ${missing.slice(0, NAMED_MAX).join(', ')}`
    return { name, status: 'fail', detail, sql: null }
  }
  const outside = existing ? rows.filter((row) => !row.covered) : []
  const unnamed = existing?.viaRoot === false ? rows.filter((row) => row.partitioned) : []
  if (outside.length === 0 && unnamed.length > 0) {
    return {
      name,
      status: 'warn',
      detail: `changes of ${listed(unnamed)} come under the names of the partitions`,
      sql: `alter publication ${pg.escapeIdentifier(publication)} set (publish_via_partition_root = true);`,
    }
  }
  if (outside.length === 0) {
    const count = existing || create ? rows.length : 0
    const detail = count === 1 ? '1 table is captured' : `${count} tables are captured`
    return { name, status: 'pass', detail, sql: null }
  }
  return {
    name,
    // Whoever made a publication of some tables for a source of all may have meant it.
    status: tables === null ? 'warn' : 'fail',
    detail: `the publication leaves out ${listed(outside)}`,
    sql: `alter publication ${pg.escapeIdentifier(publication)} add table ${outside.map((row) => row.table).join(', ')};`,
  }
}

/**
 * Once such a table is in a publication of updates, the application's own updates and
 * deletes fail. Where the publication exists already that has happened, so it is only said.
 */
function checkIdentity(existing: PublicationRow | undefined, rows: TableRow[]): SourceCheck {
  const name = 'replica_identity'
  const without = rows.filter((row) => !row.identified)
  if (without.length === 0 || existing?.updates === false) {
    return { name, status: 'pass', detail: 'all captured tables identify their rows', sql: null }
  }
  return {
    name,
    status: existing ? 'warn' : 'fail',
    detail: `${listed(without)}: without a primary key or replica identity, updates and deletes by the application fail`,
    sql: without.map((row) => `alter table ${row.table} replica identity full;`).join('\n'),
  }
}

async function findMissing(client: pg.Client, tables: readonly string[] | null): Promise<string[]> {
  if (tables === null) return []
  const { rows } = await client.query<{ name: string }>(
    'select name from unnest($1::text[]) as asked (name) where to_regclass(name) is null',
    [tables],
  )
  return rows.map(({ name }) => name)
}

async function readSuper(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ super: boolean }>(
    'select rolsuper as super from pg_roles where rolname = current_user',
  )
  return rows[0]?.super ?? false
}

function listed(rows: TableRow[]): string {
  const names = rows.slice(0, NAMED_MAX).map((row) => row.table)
  const more = rows.length - names.length
  return more > 0 ? `${names.join(', ')} and ${more} more` : names.join(', ')
}
