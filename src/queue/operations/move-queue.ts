import { sql } from 'kysely'

import { MillraceError } from '../../errors.ts'
import type { Db } from '../../storage/database.ts'
import { WAKE_CHANNEL } from '../../storage/notifications.ts'
import type { Consumer } from '../consumer.ts'

/** The lock that ticks take turns by: see migrations/0002_commit_tick.sql. */
const TICK_LOCK = 1297239634

/** Where a consumer's queue stands. */
export interface QueuePosition {
  version: number
  cursor: number
  leaseFloor: number
  nextLeaseNo: number
  lostLeaseNo: number
}

/**
 * Runs an operator's change of a queue between two ticks. `change` may write
 * what it likes in its transaction and answers where the queue stands then;
 * every process that serves the consumer notices and loads it anew.
 */
export async function moveQueue<T>(
  db: Db,
  consumer: Consumer,
  change: (trx: Db, position: QueuePosition) => Promise<{ result: T; position: QueuePosition }>,
): Promise<T> {
  return db.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(${sql.lit(TICK_LOCK)}, ${consumer.consumerNo})`.execute(
      trx,
    )
    const before = await readPosition(trx, consumer)
    const { result, position } = await change(trx, before)
    await trx
      .insertInto('millrace.tick')
      .values({
        consumer_no: consumer.consumerNo,
        version: before.version + 1,
        writer: Math.floor(Math.random() * Number.MAX_SAFE_INTEGER),
        cursor_seq: position.cursor,
        lease_floor: position.leaseFloor,
        next_lease_no: position.nextLeaseNo,
        lost_lease_no: position.lostLeaseNo,
      })
      .execute()
    await sql`select pg_notify(${WAKE_CHANNEL}, ${String(consumer.consumerNo)})`.execute(trx)
    return result
  })
}

/** Reads where a queue stands. @throws MillraceError `not_found` when the consumer is gone */
export async function readPosition(db: Db, consumer: Consumer): Promise<QueuePosition> {
  const row = await db
    .selectFrom('millrace.tick')
    .selectAll()
    .where('consumer_no', '=', consumer.consumerNo)
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (!row) {
    throw new MillraceError('not_found', `There is no consumer "${consumer.name}" any more.`)
  }
  return {
    version: Number(row.version),
    cursor: Number(row.cursor_seq),
    leaseFloor: Number(row.lease_floor),
    nextLeaseNo: Number(row.next_lease_no),
    lostLeaseNo: Number(row.lost_lease_no),
  }
}

/** What lies after the seq is delivered again: it is no longer before the consumer's start. */
export async function lowerStart(trx: Db, consumer: Consumer, seq: number): Promise<void> {
  await trx
    .updateTable('millrace.consumer')
    .set({ start_seq: String(seq) })
    .where('consumer_no', '=', consumer.consumerNo)
    .where('start_seq', '>', String(seq))
    .execute()
}

/** Takes all leases away: their ids answer `lease_lost` from now on. */
export async function takeLeasesAway(
  trx: Db,
  consumer: Consumer,
  position: QueuePosition,
): Promise<QueuePosition> {
  await trx
    .deleteFrom('millrace.lease')
    .where('consumer_no', '=', consumer.consumerNo)
    .where('lease_no', '>=', String(position.leaseFloor))
    .execute()
  const { nextLeaseNo } = position
  return { ...position, leaseFloor: nextLeaseNo, lostLeaseNo: nextLeaseNo }
}
