import { sql } from 'kysely'

import type { Db } from '../../storage/database.ts'
import type { Consumer } from '../consumer.ts'
import { findSuperseded, type RowMessage } from './find-superseded.ts'
import { moveQueue, readPosition } from './move-queue.ts'

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
 *
 * The rows keep the lease that held them last: by its absence a claim knows that the
 * filter has failed on a message, and asks it once more.
 */
export async function redriveMessages(
  db: Db,
  consumer: Consumer,
  which: { seqs: readonly number[] } | 'all',
  options: { skipSuperseded: boolean },
): Promise<RedriveResult> {
  const states = which === 'all' ? ['dead'] : ['dead', 'retrying']
  // Ticks go on while the log is walked over: what they settle meanwhile is not redriven.
  const candidates = await listCandidates(db, consumer, which, states)
  const { cursor } = await readPosition(db, consumer)
  const superseded = await findSuperseded(db, consumer, candidates, cursor)
  const chosen = options.skipSuperseded
    ? candidates.filter(({ seq }) => !superseded.has(seq))
    : candidates
  return moveQueue(db, consumer, async (trx, position) => {
    const { numAffectedRows } = await sql`
      update millrace.delivery
      set state = 'retrying', visible_at = millrace.clock(), expired = false,
          updated_at = millrace.clock(),
          history = history || jsonb_build_array(jsonb_build_object(
            'at', millrace.clock(), 'attempt', attempt, 'outcome', 'redriven'))
      from unnest(
        ${chosen.map(({ seq }) => seq)}::bigint[], ${chosen.map(({ replayNo }) => replayNo)}::int[]
      ) as chosen (seq, replay_no)
      where consumer_no = ${consumer.consumerNo} and delivery.seq = chosen.seq
        and delivery.replay_no = chosen.replay_no and state = any (${states}::text[])`.execute(trx)
    return {
      result: {
        redriven: Number(numAffectedRows ?? 0),
        superseded: [...superseded],
        skipped: candidates.length - chosen.length,
        remaining: await countDead(trx, consumer),
      },
      position,
    }
  })
}

async function listCandidates(
  db: Db,
  consumer: Consumer,
  which: { seqs: readonly number[] } | 'all',
  states: readonly string[],
): Promise<RowMessage[]> {
  const { rows } = await sql<{
    seq: string
    replay_no: number
    key: string | null
    table_schema: string
    table_name: string
  }>`
    select log.seq, replay_no, key, table_schema, table_name
    from millrace.delivery
    join millrace.log on log.source_no = ${consumer.sourceNo} and log.seq = delivery.seq
    join millrace.relation using (source_no, relation_no)
    where consumer_no = ${consumer.consumerNo} and state = any (${states}::text[])
      and (${which === 'all'} or delivery.seq = any (${which === 'all' ? [] : which.seqs}::bigint[]))
    order by log.seq, replay_no
    limit ${REDRIVE_MAX}`.execute(db)
  return rows.map((row) => ({
    seq: Number(row.seq),
    replayNo: row.replay_no,
    table: `${row.table_schema}.${row.table_name}`,
    key: row.key,
  }))
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
