import { sql } from 'kysely'

import { MillraceError } from '../../errors.ts'
import type { Db } from '../../storage/database.ts'
import type { Consumer } from '../consumer.ts'
import { findCursor, type LogTarget } from '../start-cursor.ts'
import { countSelected } from './count-selected.ts'
import { lowerStart, moveQueue } from './move-queue.ts'

/** Replays of one consumer under way at once: each is a cursor that every claim looks at. */
const REPLAYS_MAX = 10

export interface ReplayResult {
  /** As in `delivery.replay` of its messages. */
  replayNo: number
  /** Selected changes in the range; a filter and a key are not looked at. */
  total: number
}

/**
 * Delivers old messages again, beside the cursor, which stays: everything
 * selected from `from` to (not with) `to`, of one row if `key` is given. What lies
 * ahead of the cursor is not part of it: that will be delivered anyway.
 */
export function startReplay(
  db: Db,
  consumer: Consumer,
  range: { from: LogTarget; to: LogTarget; key: string | null },
): Promise<ReplayResult> {
  return moveQueue(db, consumer, async (trx, position) => {
    const { under_way, newest } = await trx
      .selectFrom('millrace.replay')
      .select((eb) => [
        eb.fn
          .count<string>(eb.case().when('finished_at', 'is', null).then(1).end())
          .as('under_way'),
        eb.fn.max('replay_no').as('newest'),
      ])
      .where('consumer_no', '=', consumer.consumerNo)
      .executeTakeFirstOrThrow()
    if (Number(under_way) >= REPLAYS_MAX) {
      throw new MillraceError(
        'conflict',
        `${REPLAYS_MAX} replays of "${consumer.name}" are under way; wait for one to end, or seek instead.`,
      )
    }
    const after = await findCursor(trx, consumer.sourceNo, range.from)
    const to = Math.min(await findCursor(trx, consumer.sourceNo, range.to), position.cursor)
    const total = await countSelected(trx, consumer, { after, to })
    const replayNo = (newest ?? 0) + 1
    await sql`
      insert into millrace.replay (consumer_no, replay_no, cursor_seq, to_seq, key, total, created_at, finished_at)
      values (${consumer.consumerNo}, ${replayNo}, ${after}, ${to}, ${range.key}, ${total}, millrace.clock(),
              ${to > after ? sql`null` : sql`millrace.clock()`})`.execute(trx)
    // Of a single row the others stay what they were.
    if (range.key === null) await lowerStart(trx, consumer, after)
    return { result: { replayNo, total }, position }
  })
}
