import type { Relation } from '../log/entry.ts'
import type { Db } from '../storage/database.ts'

/** Shapes looked at when settings are checked; the newest, should there be more. */
const RELATIONS_MAX = 20_000

/** The shapes of a source's tables as far as changes of them were captured. */
export async function listRelations(db: Db, sourceNo: number): Promise<Relation[]> {
  const rows = await db
    .selectFrom('millrace.relation')
    .selectAll()
    .where('source_no', '=', sourceNo)
    .orderBy('relation_no', 'desc')
    .limit(RELATIONS_MAX)
    .execute()
  return rows.map((row) => ({
    relationNo: row.relation_no,
    oid: Number(row.relation_oid),
    schema: row.table_schema,
    table: row.table_name,
    columns: row.columns.map(({ type_oid, ...column }) => ({ ...column, typeOid: type_oid })),
    keyColumns: row.key_columns,
  }))
}
