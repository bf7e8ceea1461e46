import { sql } from 'kysely'

import type { Db } from '../storage/database.ts'

/** Commit times are not in the order of commits to the millisecond: so far back is looked again. */
const UNSORTED_ENTRIES_MAX = 1000

/** The seq that a new consumer's cursor stands on: everything after it is still to come. */
export async function findStartCursor(
  db: Db,
  sourceNo: number,
  startFrom: string,
): Promise<number> {
  const newest = await findNewestSeq(db, sourceNo)
  if (startFrom === 'now' || startFrom === 'backfill') return newest
  const oldest = await findOldestSeq(db, sourceNo)
  if (oldest === undefined) return newest
  if (startFrom === 'earliest') return oldest - 1
  const found = await findSeqAtTime(db, sourceNo, new Date(startFrom), { oldest, newest })
  return found - 1
}

/** The seq stored last; 0: none was. */
async function findNewestSeq(db: Db, sourceNo: number): Promise<number> {
  const row = await db
    .selectFrom('millrace.position')
    .select('next_seq')
    .where('source_no', '=', sourceNo)
    .orderBy('first_seq', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row ? Number(row.next_seq) - 1 : 0
}

async function findOldestSeq(db: Db, sourceNo: number): Promise<number | undefined> {
  const row = await db
    .selectFrom('millrace.log')
    .select('seq')
    .where('source_no', '=', sourceNo)
    .orderBy('seq')
    .limit(1)
    .executeTakeFirst()
  return row && Number(row.seq)
}

/**
 * The first seq that was committed at the time or later; one past the newest when
 * there is none. Some 30 look-ups by primary key; no index on the time is needed.
 */
async function findSeqAtTime(
  db: Db,
  sourceNo: number,
  time: Date,
  range: { oldest: number; newest: number },
): Promise<number> {
  let low = range.oldest
  let high = range.newest + 1
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const probe = await db
      .selectFrom('millrace.log')
      .select((eb) => ['seq', eb('committed_at', '<', time).as('is_before')])
      .where('source_no', '=', sourceNo)
      .where('seq', '>=', String(middle))
      .where('seq', '<', String(high))
      .orderBy('seq')
      .limit(1)
      .executeTakeFirst()
    if (probe?.is_before) low = Number(probe.seq) + 1
    else high = middle
  }
  const { rows } = await sql<{ seq: string | null }>`
    select min(seq) as seq from millrace.log
    where source_no = ${sourceNo} and committed_at >= ${time}
      and seq between ${String(low - UNSORTED_ENTRIES_MAX)} and ${String(low - 1)}`.execute(db)
  return rows[0]?.seq ? Number(rows[0].seq) : low
}
