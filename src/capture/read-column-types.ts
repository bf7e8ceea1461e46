import type pg from 'pg'

/** How a column, a field or an element names its type. */
export interface TypeUse {
  /** As `format_type` says it, with its modifier: `numeric(10,2)`, `mood[]`. */
  readonly type: string
  /** Of an array, as declared; 0: it is none. */
  readonly dimensions: number
}

/**
 * What a value is in JSON. `bigint` and `decimal` may have more digits than a double
 * holds; `float` and `decimal` may be the strings NaN, Infinity and -Infinity; `any` is a
 * document of the application's own; `map` has strings and nulls as its values.
 */
export type JsonKind =
  | 'boolean'
  | 'integer'
  | 'bigint'
  | 'float'
  | 'decimal'
  | 'string'
  | 'any'
  | 'map'

/** A type of the source, and what a value of it looks like in `record`. */
export interface ColumnType extends Pick<TypeUse, 'type'> {
  readonly schema: string
  /** Without schema and modifier. */
  readonly name: string
  readonly kind: 'scalar' | 'enum' | 'array' | 'composite' | 'domain'
  /** Of a scalar. */
  readonly json: JsonKind | null
  /** Digits of a `numeric` with a limit, and how many of them are behind the point. */
  readonly precision: number | null
  readonly scale: number | null
  /** Of an enum, in order. */
  readonly labels: readonly string[] | null
  /** The elements of an array, what a domain stands for. */
  readonly base: TypeUse | null
  /** Of a composite. Each may be null. */
  readonly fields: readonly (TypeUse & { readonly name: string })[] | null
}

interface TypeRow extends Omit<ColumnType, 'json' | 'precision' | 'scale'> {
  readonly oid: number
  readonly typmod: number
}

/** What writes arrays, and the two vectors of the catalogues, which are sent as arrays too. */
export const ARRAY_OUTPUTS =
  "('array_out'::regproc, 'int2vectorout'::regproc, 'oidvectorout'::regproc)"

/** Types under their modifiers, and all that they are made of. */
const READ_TYPES = `
with recursive needed (oid, typmod) as (
  select distinct oid, typmod from jsonb_to_recordset($1::jsonb) as asked (oid oid, typmod int)
  union
  select part.oid, part.typmod
  from needed
  join pg_type t on t.oid = needed.oid
  cross join lateral (
    select t.typbasetype, t.typtypmod where t.typtype = 'd'
    union all
    select t.typelem, needed.typmod where t.typtype = 'b' and t.typoutput in ${ARRAY_OUTPUTS}
    union all
    select a.atttypid, a.atttypmod from pg_attribute a
    where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
  ) as part (oid, typmod)
  where part.oid <> 0
)
select distinct on (type) format_type(t.oid, needed.typmod) as type,
  t.oid, needed.typmod,
  n.nspname as schema, t.typname as name,
  case when t.typtype = 'd' then 'domain' when t.typtype = 'e' then 'enum'
       when t.typtype = 'c' then 'composite'
       when t.typoutput in ${ARRAY_OUTPUTS} then 'array'
       else 'scalar' end as kind,
  (select json_agg(e.enumlabel order by e.enumsortorder)
   from pg_enum e where e.enumtypid = t.oid) as labels,
  case when t.typtype = 'd' then json_build_object(
         'type', format_type(t.typbasetype, t.typtypmod), 'dimensions', t.typndims)
       when t.typoutput in ${ARRAY_OUTPUTS} then json_build_object(
         'type', format_type(t.typelem, needed.typmod), 'dimensions', 0)
  end as base,
  (select json_agg(json_build_object(
            'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
            'dimensions', case when ft.typtype = 'b' and ft.typoutput in ${ARRAY_OUTPUTS}
                               then greatest(a.attndims, 1) else 0 end) order by a.attnum)
   from pg_attribute a join pg_type ft on ft.oid = a.atttypid
   where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped) as fields
from needed
join pg_type t on t.oid = needed.oid
join pg_namespace n on n.oid = t.typnamespace
order by type`

const NUMERIC_OID = 1700

/** Built-in types whose JSON is no string. */
const KINDS_BY_OID = new Map<number, JsonKind>([
  [16, 'boolean'],
  [20, 'bigint'],
  [21, 'integer'],
  [23, 'integer'],
  [26, 'integer'],
  [114, 'any'],
  [700, 'float'],
  [701, 'float'],
  [NUMERIC_OID, 'decimal'],
  [3802, 'any'],
])

/** The types that are asked for and all that they are made of, by their names. */
export async function readColumnTypes(
  client: pg.ClientBase,
  asked: readonly { readonly oid: number; readonly typmod: number }[],
): Promise<ColumnType[]> {
  const { rows } = await client.query<TypeRow>(READ_TYPES, [JSON.stringify(asked)])
  return rows.map(({ oid, typmod, ...row }) => ({
    ...row,
    json: row.kind === 'scalar' ? jsonKindOf(oid, row.name) : null,
    ...readLimits(oid, typmod),
  }))
}

/** Extensions have no OIDs of their own: hstore is told by its name, as the codec does. */
function jsonKindOf(oid: number, name: string): JsonKind {
  return KINDS_BY_OID.get(oid) ?? (name === 'hstore' ? 'map' : 'string')
}

/** A modifier holds 16 bits of precision and 11 of scale, with a sign, above 4. */
function readLimits(oid: number, typmod: number): Pick<ColumnType, 'precision' | 'scale'> {
  if (oid !== NUMERIC_OID || typmod < 4) return { precision: null, scale: null }
  const packed = typmod - 4
  return { precision: packed >> 16, scale: ((packed & 0x7ff) ^ 1024) - 1024 }
}
