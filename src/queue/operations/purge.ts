import type { Db } from '../../storage/database.ts'
import type { Consumer } from '../consumer.ts'
import { findCursor } from '../start-cursor.ts'
import { countSelected } from './count-selected.ts'
import { moveQueue, takeLeasesAway } from './move-queue.ts'

/**
 * Empties a consumer's queue: nothing that is in the log now will be delivered,
 * dead letters included. The log itself and other consumers are untouched.
 * Answers how many messages went.
 */
export function purgeConsumer(db: Db, consumer: Consumer): Promise<number> {
  return moveQueue(db, consumer, async (trx, before) => {
    const cursor = await findCursor(trx, consumer.sourceNo, 'latest')
    const leases = await trx
      .selectFrom('millrace.lease')
      .select('seqs')
      .where('consumer_no', '=', consumer.consumerNo)
      .where('lease_no', '>=', String(before.leaseFloor))
      .execute()
    const { numDeletedRows } = await trx
      .deleteFrom('millrace.delivery')
      .where('consumer_no', '=', consumer.consumerNo)
      .where('state', 'in', ['waiting', 'retrying', 'dead'])
      .executeTakeFirstOrThrow()
    await trx
      .deleteFrom('millrace.delivery')
      .where('consumer_no', '=', consumer.consumerNo)
      .execute()
    await trx
      .deleteFrom('millrace.replay')
      .where('consumer_no', '=', consumer.consumerNo)
      .where('finished_at', 'is', null)
      .execute()
    const ahead = await countSelected(trx, consumer, { after: before.cursor, to: cursor })
    const leased = leases.reduce((sum, { seqs }) => sum + seqs.length, 0)
    const position = await takeLeasesAway(trx, consumer, before)
    return {
      result: ahead + leased + Number(numDeletedRows),
      position: { ...position, cursor },
    }
  })
}
