import type pg from 'pg'

import type { TableDescription } from './describe-table.ts'
import { writeKeyCondition } from './page-query.ts'

/** Rows that a backfill will go through, as the planner believes. Checks the key on the way. */
export async function estimateRows(
  client: pg.ClientBase,
  table: TableDescription,
  fromKey: readonly string[] | null,
): Promise<number> {
  const where = fromKey ? `where ${writeKeyCondition(table, '>=', fromKey)}` : ''
  const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>(
    `explain (format json) select from ${table.from} ${where}`,
  )
  return Math.round(rows[0]!['QUERY PLAN'][0].Plan['Plan Rows'])
}
