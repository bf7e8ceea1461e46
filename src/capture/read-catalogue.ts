import type pg from 'pg'

import type { TypeRow } from './pgoutput/type-catalogue.ts'

/** Types, and all that they are made of. */
const READ_TYPES = `
with recursive needed (oid) as (
  select unnest($1::oid[])
  union
  select part.oid
  from needed
  join pg_type t on t.oid = needed.oid
  cross join lateral (
    select t.typbasetype where t.typtype = 'd'
    union all
    select t.typelem where t.typoutput = 'array_out'::regproc
    union all
    select a.atttypid from pg_attribute a
    where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
  ) as part (oid)
  where part.oid <> 0
)
select json_build_object(
  'oid', t.oid::bigint, 'name', format_type(t.oid, null), 'typname', t.typname,
  'typtype', t.typtype, 'isArray', t.typoutput = 'array_out'::regproc, 'delimiter', t.typdelim,
  'refersTo', case when t.typtype = 'd' then t.typbasetype
                   when t.typoutput = 'array_out'::regproc then t.typelem else 0 end::bigint,
  'attributes', (
    select coalesce(json_agg(json_build_object('name', a.attname, 'typeOid', a.atttypid::bigint)
                             order by a.attnum), '[]')
    from pg_attribute a
    where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped)
) as type
from needed join pg_type t on t.oid = needed.oid`

export async function readTypes(
  client: pg.ClientBase,
  oids: readonly number[],
): Promise<TypeRow[]> {
  const { rows } = await client.query<{ type: TypeRow }>(READ_TYPES, [oids])
  return rows.map(({ type }) => type)
}

/** The primary key as it is now; none: an empty list. Of a partitioned table its own. */
export async function readPrimaryKey(
  client: pg.ClientBase,
  relationOid: number,
): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select a.attname as name
     from pg_index i
     join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
     where i.indrelid = $1 and i.indisprimary
     order by a.attnum`,
    [relationOid],
  )
  return rows.map(({ name }) => name)
}
