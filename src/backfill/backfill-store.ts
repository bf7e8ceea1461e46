import type { Kysely } from 'kysely'
import { sql } from 'kysely'

import { MillraceError } from '../errors.ts'
import type { Db } from '../storage/database.ts'
import type { BackfillState, Schema } from '../storage/schema-types.ts'
import { readBackfill, type Backfill } from './backfill.ts'

/** Whose backfills are spoken of: those for one consumer, or all of a source. */
export type BackfillOwner = { readonly consumerNo: number } | { readonly sourceNo: number }

/** The newest first; a page begins before the number `before`. */
export async function listBackfills(
  db: Db,
  owner: BackfillOwner,
  { limit, before }: { limit: number; before?: number },
): Promise<Backfill[]> {
  let query = selectOwned(db, owner).orderBy('backfill_no', 'desc').limit(limit)
  if (before !== undefined) query = query.where('backfill_no', '<', before)
  return (await query.execute()).map(readBackfill)
}

export async function findBackfill(
  db: Db,
  owner: BackfillOwner,
  id: string,
): Promise<Backfill | undefined> {
  const row = await selectOwned(db, owner).where('id', '=', id).executeTakeFirst()
  return row && readBackfill(row)
}

/** No page is begun any more; the one that is under way still comes. */
export function pauseBackfill(db: Db, backfill: Backfill): Promise<Backfill> {
  return moveBackfill(db, backfill, 'paused', ['pending', 'running', 'paused'])
}

/** Goes on behind the last row that was read; also after a failure. */
export function resumeBackfill(db: Db, backfill: Backfill): Promise<Backfill> {
  return moveBackfill(db, backfill, 'pending', ['paused', 'failed', 'pending', 'running'])
}

/** For good. What was read stays in the log. */
export function cancelBackfill(db: Db, backfill: Backfill): Promise<Backfill> {
  return moveBackfill(db, backfill, 'cancelled', [
    'pending',
    'running',
    'paused',
    'failed',
    'cancelled',
  ])
}

/** @throws MillraceError `conflict` from any other state */
async function moveBackfill(
  db: Db,
  { backfillNo, id }: Backfill,
  state: BackfillState,
  from: readonly BackfillState[],
): Promise<Backfill> {
  const ends = state === 'cancelled'
  const row = await db
    .updateTable('millrace.backfill')
    .set({
      // What runs already need not begin again.
      state: sql<BackfillState>`case when ${state} = 'pending' and state = 'running' then state else ${state} end`,
      finished_at: ends ? sql<Date>`coalesce(finished_at, now())` : null,
      rows_per_second: null,
      ...(state === 'pending' ? { error: null } : {}),
      updated_at: sql`now()`,
    })
    .where('backfill_no', '=', backfillNo)
    .where('state', 'in', [...from])
    .returningAll()
    .executeTakeFirst()
    .catch((error: unknown) => {
      throw refineConflict(error)
    })
  if (row) return readBackfill(row)
  const now = await db
    .selectFrom('millrace.backfill')
    .select('state')
    .where('backfill_no', '=', backfillNo)
    .executeTakeFirst()
  throw new MillraceError('conflict', `The backfill ${id} is ${now?.state ?? 'gone'}.`)
}

/** One backfill of a table for the same consumers at a time. */
export function refineConflict(error: unknown): unknown {
  const isTaken =
    error instanceof Error &&
    'constraint' in error &&
    error.constraint === 'backfill_is_active_once'
  if (!isTaken) return error
  return new MillraceError(
    'conflict',
    'The same table is being backfilled for the same consumers: wait for it, or cancel it first.',
    { cause: error },
  )
}

function selectOwned(db: Kysely<Schema>, owner: BackfillOwner) {
  const query = db.selectFrom('millrace.backfill').selectAll()
  return 'consumerNo' in owner
    ? query.where('consumer_no', '=', owner.consumerNo)
    : query.where('source_no', '=', owner.sourceNo)
}
