import { sql } from 'kysely'

import { ACTION_CODES } from '../../log/read-log.ts'
import type { Db } from '../../storage/database.ts'
import type { Consumer } from '../consumer.ts'
import { compileSelection } from '../selection/select-changes.ts'

/**
 * How many changes a consumer selects after `after` up to and with `to`, by table
 * and action; a filter is not looked at. Walks over the range.
 */
export async function countSelected(
  db: Db,
  consumer: Consumer,
  range: { after: number; to: number },
): Promise<number> {
  if (range.to <= range.after) return 0
  const relationNos = await listSelectedRelations(db, consumer)
  const actions = compileSelection(consumer).actions.map((action) => ACTION_CODES[action])
  const { rows } = await sql<{ count: string }>`
    select count(*) from millrace.log
    where source_no = ${consumer.sourceNo} and seq > ${range.after}::bigint and seq <= ${range.to}::bigint
      and (recipient_no is null or recipient_no = ${consumer.consumerNo})
      and relation_no = any (${relationNos}::int[]) and action::text = any (${actions}::text[])`.execute(
    db,
  )
  return Number(rows[0]!.count)
}

/** The shapes of the tables that a consumer selects. */
export async function listSelectedRelations(db: Db, consumer: Consumer): Promise<number[]> {
  const selection = compileSelection(consumer)
  const rows = await db
    .selectFrom('millrace.relation')
    .select(['relation_no', 'table_schema', 'table_name'])
    .where('source_no', '=', consumer.sourceNo)
    .execute()
  return rows
    .filter((row) =>
      selection.selectsRelation({
        relationNo: row.relation_no,
        oid: 0,
        schema: row.table_schema,
        table: row.table_name,
        columns: [],
        keyColumns: [],
      }),
    )
    .map((row) => row.relation_no)
}
