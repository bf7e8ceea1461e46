import type pg from 'pg'

/** Tables made while running (partitions of the log) are no part of the schema. */
const TABLES = `
select format(E'create table millrace.%s (\\n%s\\n)%s;', relname, string_agg(line, E',\\n' order by place),
         coalesce(' partition by ' || pg_get_partkeydef(relation), '')) as text
from (
  select class.oid as relation, relname, attnum as place, format('  %s %s%s%s%s', quote_ident(attname),
    format_type(atttypid, atttypmod),
    case when attidentity = 'a' then ' generated always as identity' else '' end,
    case when attnotnull then ' not null' else '' end,
    coalesce(' default ' || pg_get_expr(adbin, adrelid), '')) as line
  from pg_class class
  join pg_attribute on attrelid = class.oid and attnum > 0 and not attisdropped
  left join pg_attrdef on adrelid = class.oid and adnum = attnum
  where relnamespace = 'millrace'::regnamespace and relkind in ('r', 'p') and not relispartition
  union all
  select conrelid, relname, 10000 + row_number() over (partition by conrelid order by conname),
    format('  constraint %s %s', conname, pg_get_constraintdef(constraints.oid))
  from pg_constraint constraints join pg_class class on class.oid = conrelid
  where connamespace = 'millrace'::regnamespace and contype <> 'n' and not relispartition
) as lines
group by relation, relname
order by relname`

const INDEXES = `
select indexdef || ';' as text from pg_indexes
join pg_class class on class.relname = indexname and class.relnamespace = 'millrace'::regnamespace
where schemaname = 'millrace' and not class.relispartition
  and not exists (select from pg_constraint where conindid = class.oid)
order by indexname`

const FUNCTIONS = `
select pg_get_functiondef(oid) || ';' as text from pg_proc
where pronamespace = 'millrace'::regnamespace order by proname`

/**
 * The storage's schema as SQL text, from the catalogue: what all migrations
 * together have made. Committed as `schema.sql`, so that a change of a migration
 * shows as a change of the schema.
 */
export async function dumpSchema(client: Pick<pg.Pool, 'query'>): Promise<string> {
  const parts: string[] = []
  for (const query of [TABLES, INDEXES, FUNCTIONS]) {
    const { rows } = await client.query<{ text: string }>(query)
    parts.push(...rows.map(({ text }) => text.trimEnd()))
  }
  return `-- Made by \`npm run schema\` from the migrations. Not to be edited.\n\n${parts.join('\n\n')}\n`
}
