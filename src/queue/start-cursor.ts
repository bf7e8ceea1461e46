import { sql, type RawBuilder } from 'kysely'

import type { Db } from '../storage/database.ts'

/** Commit times are not in the order of commits to the millisecond: so far back is looked again. */
const UNSORTED_ENTRIES_MAX = 1000

/** A place in a source's log, as an operator names it. */
export type LogTarget =
  | 'earliest'
  | 'latest'
  | { time: Date }
  | { commitLsn: string }
  | { seq: number }

/** The seq that a new consumer's cursor stands on: everything after it is still to come. */
export function findStartCursor(db: Db, sourceNo: number, startFrom: string): Promise<number> {
  if (startFrom === 'now' || startFrom === 'backfill') return findCursor(db, sourceNo, 'latest')
  if (startFrom === 'earliest') return findCursor(db, sourceNo, 'earliest')
  return findCursor(db, sourceNo, { time: new Date(startFrom) })
}

/**
 * Where a cursor must stand so that what comes next begins at the target: the
 * first change at that time, LSN or seq, or later. Within what the log holds.
 */
export async function findCursor(db: Db, sourceNo: number, target: LogTarget): Promise<number> {
  const newest = await findNewestSeq(db, sourceNo)
  if (target === 'latest') return newest
  const oldest = await findOldestSeq(db, sourceNo)
  if (oldest === undefined) return newest
  if (target === 'earliest') return oldest - 1
  if ('seq' in target) return Math.min(Math.max(target.seq, oldest) - 1, newest)
  const range = { oldest, newest }
  if ('time' in target) return (await findSeqAtTime(db, sourceNo, target.time, range)) - 1
  return (await bisect(db, sourceNo, sql`commit_lsn < ${target.commitLsn}::bigint`, range)) - 1
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
  const low = await bisect(db, sourceNo, sql`committed_at < ${time}`, range)
  const { rows } = await sql<{ seq: string | null }>`
    select min(seq) as seq from millrace.log
    where source_no = ${sourceNo} and committed_at >= ${time}
      and seq between ${String(low - UNSORTED_ENTRIES_MAX)} and ${String(low - 1)}`.execute(db)
  return rows[0]?.seq ? Number(rows[0].seq) : low
}

/** The first seq of which `isBefore` is not true, if it is true of all before that; some 30 look-ups. */
async function bisect(
  db: Db,
  sourceNo: number,
  isBefore: RawBuilder<unknown>,
  range: { oldest: number; newest: number },
): Promise<number> {
  let low = range.oldest
  let high = range.newest + 1
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const { rows } = await sql<{ seq: string; is_before: boolean }>`
      select seq, ${isBefore} as is_before from millrace.log
      where source_no = ${sourceNo} and seq >= ${String(middle)} and seq < ${String(high)}
      order by seq limit 1`.execute(db)
    const probe = rows[0]
    if (probe?.is_before) low = Number(probe.seq) + 1
    else high = middle
  }
  return low
}
