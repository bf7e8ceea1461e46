import { sql } from 'kysely'

import type { Db } from '../../storage/database.ts'
import type { Consumer } from '../consumer.ts'
import { findCursor, type LogTarget } from '../start-cursor.ts'
import { countSelected } from './count-selected.ts'
import {
  lowerStart,
  moveQueue,
  readPosition,
  takeLeasesAway,
  type QueuePosition,
} from './move-queue.ts'

export interface SeekResult {
  /** The seq that the cursor stands on; everything after it will be delivered. */
  cursorSeq: number
  /** Selected changes that were passed and will be delivered again; a filter is not looked at. */
  wouldRedeliver: number
  /** Selected changes that were ahead, leased or set aside, and will not be delivered. */
  wouldSkip: number
}

/**
 * Moves the cursor. What lies before it counts as acked, what lies after it as
 * never delivered: leases are lost, retries and dead letters of that part are
 * forgotten. `dryRun` only counts.
 */
export async function seekConsumer(
  db: Db,
  consumer: Consumer,
  target: LogTarget,
  options: { dryRun: boolean },
): Promise<SeekResult> {
  if (options.dryRun) {
    const cursor = await findCursor(db, consumer.sourceNo, target)
    return describeSeek(db, consumer, await readPosition(db, consumer), cursor)
  }
  return moveQueue(db, consumer, async (trx, before) => {
    const cursor = await findCursor(trx, consumer.sourceNo, target)
    const result = await describeSeek(trx, consumer, before, cursor)
    const position = await takeLeasesAway(trx, consumer, before)
    await trx
      .deleteFrom('millrace.delivery')
      .where('consumer_no', '=', consumer.consumerNo)
      .where((eb) =>
        eb.or([
          eb('state', 'in', ['waiting', 'retrying', 'leased']),
          // Ahead of the cursor a message is nothing but ahead.
          eb('seq', '>', String(cursor)),
        ]),
      )
      .execute()
    await lowerStart(trx, consumer, cursor)
    await trx
      .deleteFrom('millrace.replay')
      .where('consumer_no', '=', consumer.consumerNo)
      .where('finished_at', 'is', null)
      .execute()
    return { result, position: { ...position, cursor } }
  })
}

async function describeSeek(
  db: Db,
  consumer: Consumer,
  before: QueuePosition,
  cursor: number,
): Promise<SeekResult> {
  const { aside } = await db
    .selectFrom('millrace.delivery')
    .select((eb) => eb.fn.countAll<string>().as('aside'))
    .where('consumer_no', '=', consumer.consumerNo)
    .where('state', 'in', ['waiting', 'retrying'])
    .where('seq', '<=', String(cursor))
    .executeTakeFirstOrThrow()
  const { rows } = await sql<{ leased: string }>`
    select count(*) as leased from millrace.lease, unnest(seqs) as held (seq)
    where consumer_no = ${consumer.consumerNo} and lease_no >= ${before.leaseFloor}::bigint
      and held.seq <= ${cursor}::bigint`.execute(db)
  const ahead = await countSelected(db, consumer, { after: before.cursor, to: cursor })
  return {
    cursorSeq: cursor,
    wouldRedeliver: await countSelected(db, consumer, { after: cursor, to: before.cursor }),
    wouldSkip: ahead + Number(aside) + Number(rows[0]!.leased),
  }
}
