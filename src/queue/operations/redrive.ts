import { sql } from 'kysely'

import type { Db } from '../../storage/database.ts'
import type { Consumer } from '../consumer.ts'
import { moveQueue } from './move-queue.ts'

/** In one call at most; the answer says how many are left. */
const REDRIVE_MAX = 10_000

export interface RedriveResult {
  redriven: number
  /** Seqs of redriven or skipped messages whose row has changed since and was delivered. */
  superseded: number[]
  skipped: number
  /** Dead messages left for another call. */
  remaining: number
}

/**
 * Puts dead or retrying messages up for delivery now. A row that has moved on
 * since (a later change of it was passed by the cursor) makes its message
 * `superseded`: delivering it may overwrite something newer, so it can be skipped.
 */
export function redriveMessages(
  db: Db,
  consumer: Consumer,
  which: { seqs: readonly number[] } | 'all',
  options: { skipSuperseded: boolean },
): Promise<RedriveResult> {
  return moveQueue(db, consumer, async (trx, position) => {
    const states = which === 'all' ? ['dead'] : ['dead', 'retrying']
    const { rows } = await sql<{ seq: string; replay_no: number; superseded: boolean }>`
      select delivery.seq, replay_no, exists (
        select from millrace.log later
        join millrace.relation later_table using (source_no, relation_no)
        where later.source_no = ${consumer.sourceNo} and later.seq > delivery.seq
          and later.seq <= ${position.cursor}::bigint and later.key = entry.key
          and (later.recipient_no is null or later.recipient_no = ${consumer.consumerNo})
          and later_table.table_schema = own_table.table_schema
          and later_table.table_name = own_table.table_name
      ) as superseded
      from millrace.delivery
      join millrace.log entry on entry.source_no = ${consumer.sourceNo} and entry.seq = delivery.seq
      join millrace.relation own_table
        on own_table.source_no = entry.source_no and own_table.relation_no = entry.relation_no
      where consumer_no = ${consumer.consumerNo} and state = any (${states}::text[])
        and (${which === 'all'} or delivery.seq = any (${which === 'all' ? [] : which.seqs}::bigint[]))
      order by delivery.seq
      limit ${REDRIVE_MAX}`.execute(trx)
    const chosen = rows.filter((row) => !(options.skipSuperseded && row.superseded))
    await sql`
      update millrace.delivery
      set state = 'retrying', visible_at = millrace.clock(), expired = false,
          lease_no = null, nonce = null, updated_at = millrace.clock(),
          history = history || jsonb_build_array(jsonb_build_object(
            'at', millrace.clock(), 'attempt', attempt, 'outcome', 'redriven'))
      from unnest(
        ${chosen.map((row) => row.seq)}::bigint[], ${chosen.map((row) => row.replay_no)}::int[]
      ) as chosen (seq, replay_no)
      where consumer_no = ${consumer.consumerNo} and delivery.seq = chosen.seq
        and delivery.replay_no = chosen.replay_no`.execute(trx)
    const remaining = await countDead(trx, consumer)
    return {
      result: {
        redriven: chosen.length,
        superseded: rows.filter((row) => row.superseded).map((row) => Number(row.seq)),
        skipped: rows.length - chosen.length,
        remaining,
      },
      position,
    }
  })
}

/** Settles dead or retrying messages for good, undelivered. Answers how many. */
export function discardMessages(
  db: Db,
  consumer: Consumer,
  which: { seqs: readonly number[] } | 'all',
): Promise<number> {
  return moveQueue(db, consumer, async (trx, position) => {
    const states = which === 'all' ? ['dead'] : ['dead', 'retrying']
    const { numAffectedRows } = await sql`
      update millrace.delivery
      set state = 'acked', visible_at = null, expired = false, lease_no = null, nonce = null,
          updated_at = millrace.clock(),
          history = history || jsonb_build_array(jsonb_build_object(
            'at', millrace.clock(), 'attempt', attempt, 'outcome', 'discarded'))
      where consumer_no = ${consumer.consumerNo} and state = any (${states}::text[])
        and (${which === 'all'} or seq = any (${which === 'all' ? [] : which.seqs}::bigint[]))`.execute(
      trx,
    )
    return { result: Number(numAffectedRows ?? 0), position }
  })
}

async function countDead(trx: Db, consumer: Consumer): Promise<number> {
  const { dead } = await trx
    .selectFrom('millrace.delivery')
    .select((eb) => eb.fn.countAll<string>().as('dead'))
    .where('consumer_no', '=', consumer.consumerNo)
    .where('state', '=', 'dead')
    .executeTakeFirstOrThrow()
  return Number(dead)
}
