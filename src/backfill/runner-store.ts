import { sql } from 'kysely'

import type { Turn } from '../capture/reader-state.ts'
import type { Db } from '../storage/database.ts'
import { readBackfill, type Backfill } from './backfill.ts'

/**
 * The backfill whose turn it is: the one that was worked on longest ago, so that a small
 * one does not wait for a large one. `leaveOut` names those that are as good as done.
 */
export async function findNextBackfill(
  db: Db,
  sourceNo: number,
  leaveOut: readonly number[],
): Promise<Backfill | undefined> {
  const row = await db
    .selectFrom('millrace.backfill')
    .selectAll()
    .where('source_no', '=', sourceNo)
    .where('state', 'in', ['pending', 'running'])
    .where(sql<boolean>`backfill_no <> all (${leaveOut}::int[])`)
    .orderBy('updated_at')
    .orderBy('backfill_no')
    .limit(1)
    .executeTakeFirst()
  return row && readBackfill(row)
}

/** Of a reader that another one has taken over from it changes nothing. */
async function update(db: Db, turn: Turn, backfillNo: number, set: ReturnType<typeof sql>) {
  await sql`
    update millrace.backfill set ${set}, updated_at = now()
    where backfill_no = ${backfillNo} and state in ('pending', 'running')
      and exists (select from millrace.reader where source_no = ${turn.sourceNo} and epoch = ${turn.epoch})`.execute(
    db,
  )
}

export function markRunning(
  db: Db,
  turn: Turn,
  backfillNo: number,
  rowsEstimated: number,
): Promise<void> {
  return update(
    db,
    turn,
    backfillNo,
    sql`state = 'running', started_at = coalesce(started_at, now()), error = null,
      rows_estimated = coalesce(rows_estimated, ${rowsEstimated}::bigint)`,
  )
}

export function markFailed(db: Db, turn: Turn, backfillNo: number, error: string): Promise<void> {
  return update(
    db,
    turn,
    backfillNo,
    sql`state = 'failed', finished_at = now(), rows_per_second = null, error = ${error}`,
  )
}

/** It goes on; this is what it met. */
export function noteError(db: Db, turn: Turn, backfillNo: number, error: string): Promise<void> {
  return update(db, turn, backfillNo, sql`error = ${error}`)
}

/** The patterns of the tables that a consumer selects. */
export async function findConsumerTables(
  db: Db,
  consumerNo: number,
): Promise<readonly string[] | undefined> {
  const row = await db
    .selectFrom('millrace.consumer')
    .select('tables')
    .where('consumer_no', '=', consumerNo)
    .executeTakeFirst()
  return row?.tables
}

/** Puts one backfill a table in the place of one for all that a consumer selects. */
export async function splitBackfill(
  db: Db,
  turn: Turn,
  backfill: Backfill,
  tables: readonly { schema: string; table: string }[],
): Promise<void> {
  if (tables.length === 0) {
    const set = sql`state = 'done', started_at = now(), finished_at = now(), rows_estimated = 0`
    return update(db, turn, backfill.backfillNo, set)
  }
  await db.transaction().execute(async (trx) => {
    // Deleted by somebody else, it is none of ours any more.
    const { numDeletedRows } = await trx
      .deleteFrom('millrace.backfill')
      .where('backfill_no', '=', backfill.backfillNo)
      .executeTakeFirst()
    if (numDeletedRows === 0n) return
    await sql`
      insert into millrace.backfill (source_no, consumer_no, table_schema, table_name, created_at)
      select ${backfill.sourceNo}, ${backfill.consumerNo}, schema, name, ${backfill.createdAt}
      from unnest(${tables.map(({ schema }) => schema)}::text[], ${tables.map(({ table }) => table)}::text[])
        as found (schema, name)
      on conflict do nothing`.execute(trx)
  })
}
