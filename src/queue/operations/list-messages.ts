import { sql, type RawBuilder } from 'kysely'

import { ACTIONS_BY_CODE } from '../../log/read-log.ts'
import { formatMicroseconds } from '../../log/envelope.ts'
import type { Db } from '../../storage/database.ts'
import type { DeliveryEvent } from '../../storage/schema-types.ts'
import type { Consumer } from '../consumer.ts'
import { findCursor } from '../start-cursor.ts'
import { listSelectedRelations } from './count-selected.ts'
import { readPosition } from './move-queue.ts'

/** `ahead`: the cursor has not reached it. `acked` is known only of messages delivered more than once. */
export type MessageState = 'ahead' | 'leased' | 'retrying' | 'waiting' | 'dead' | 'acked'

export interface ListMessagesOptions {
  state: MessageState
  /** `schema.table` */
  table?: string
  /** The primary key as the inside of a JSON array. */
  key?: string
  /** Committed then or later. */
  from?: Date
  /** Only what comes after this message, for the next page; a replayed one comes after its original. */
  after?: { seq: number; replay: number }
  limit: number
}

/** A message as an operator sees it; looking never counts as a delivery. */
export interface ListedMessage {
  seq: number
  replay: number
  state: MessageState
  attempt: number
  /** JSON text, as stored: whoever looks is an operator, so `columns` is not applied. */
  record: string
  changes: string | null
  action: string
  tableSchema: string
  tableName: string
  key: string | null
  commitTimestamp: string
  commitLsn: string
  commitIdx: number
  visibleAt: Date | null
  leaseExpiresAt: Date | null
  worker: string | null
  reason: string | null
  history: DeliveryEvent[]
}

interface MessageRow {
  seq: string
  replay_no: number
  attempt: number
  record: string
  changes: string | null
  action: string
  table_schema: string
  table_name: string
  key: string | null
  committed_us: string
  commit_lsn: string
  commit_idx: number
  visible_at: Date | null
  expires_at: Date | null
  worker: string | null
  reason: string | null
  history: DeliveryEvent[]
}

/** Messages of a consumer in one state, oldest first. A filter in CEL is not applied to those ahead. */
export async function listMessages(
  db: Db,
  consumer: Consumer,
  options: ListMessagesOptions,
): Promise<ListedMessage[]> {
  const members = await selectMembers(db, consumer, options)
  // The time as a place in the log: there is an index for that, and none for times.
  const earliest = options.from && (await findCursor(db, consumer.sourceNo, { time: options.from }))
  const { after = { seq: 0, replay: 0 } } = options
  const { rows } = await sql<MessageRow>`
    with member as (${members})
    select member.seq::text, member.replay_no, member.attempt, record, changes, action::text,
      table_schema, table_name, key, (extract(epoch from committed_at) * 1000000)::bigint::text as committed_us,
      commit_lsn::text, commit_idx, member.visible_at, member.expires_at, member.worker,
      delivery.reason, coalesce(delivery.history, '[]') as history
    from member
    join millrace.log on log.source_no = ${consumer.sourceNo} and log.seq = member.seq
    join millrace.relation using (source_no, relation_no)
    left join millrace.delivery on delivery.consumer_no = ${consumer.consumerNo}
      and delivery.seq = member.seq and delivery.replay_no = member.replay_no
    where member.seq > ${earliest ?? 0}::bigint
      and (member.seq, member.replay_no) > (${after.seq}::bigint, ${after.replay}::bigint)
      ${options.table === undefined ? sql`` : sql`and table_schema || '.' || table_name = ${options.table}`}
      ${options.key === undefined ? sql`` : sql`and key = ${options.key}`}
      ${options.from === undefined ? sql`` : sql`and committed_at >= ${options.from}`}
    order by member.seq, member.replay_no
    limit ${options.limit}`.execute(db)
  return rows.map((row) => readMessage(row, options.state))
}

async function selectMembers(
  db: Db,
  consumer: Consumer,
  { state, after }: ListMessagesOptions,
): Promise<RawBuilder<unknown>> {
  const none = sql`null::timestamptz as expires_at, null::text as worker`
  if (state === 'leased') {
    return sql`
      select held.seq, coalesce(held.replay, 0) as replay_no, coalesce(held.attempt, 1) as attempt,
        null::timestamptz as visible_at,
        coalesce(to_timestamp(held.expires_ms / 1000.0), lease.expires_at) as expires_at, worker
      from millrace.lease,
        unnest(seqs, attempts, replays, expires_ms) as held (seq, attempt, replay, expires_ms)
      where consumer_no = ${consumer.consumerNo}`
  }
  if (state !== 'ahead') {
    return sql`
      select seq, replay_no, attempt, visible_at, ${none} from millrace.delivery
      where consumer_no = ${consumer.consumerNo} and state = ${state}`
  }
  const { cursor } = await readPosition(db, consumer)
  const relationNos = await listSelectedRelations(db, consumer)
  return sql`
    select seq, 0 as replay_no, 0 as attempt, null::timestamptz as visible_at, ${none} from millrace.log
    where source_no = ${consumer.sourceNo} and seq > ${Math.max(cursor, after?.seq ?? 0)}::bigint
      and relation_no = any (${relationNos}::int[])
      and (recipient_no is null or recipient_no = ${consumer.consumerNo})
      and (action::text = 'r' or action::text = any (${actionCodes(consumer)}::text[]))`
}

function actionCodes(consumer: Consumer): string[] {
  return Object.entries(ACTIONS_BY_CODE)
    .filter(([, action]) => consumer.actions.includes(action))
    .map(([code]) => code)
}

function readMessage(row: MessageRow, state: MessageState): ListedMessage {
  return {
    seq: Number(row.seq),
    replay: row.replay_no,
    state,
    attempt: row.attempt,
    record: row.record,
    changes: row.changes,
    action: ACTIONS_BY_CODE[row.action]!,
    tableSchema: row.table_schema,
    tableName: row.table_name,
    key: row.key,
    commitTimestamp: formatMicroseconds(Number(row.committed_us)),
    commitLsn: row.commit_lsn,
    commitIdx: row.commit_idx,
    visibleAt: row.visible_at,
    leaseExpiresAt: row.expires_at,
    worker: row.worker,
    reason: row.reason,
    history: row.history,
  }
}
