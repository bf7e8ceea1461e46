import { sql } from 'kysely'

import type { LogEntry } from '../../log/entry.ts'
import type { Db } from '../../storage/database.ts'
import type { DeliveryEvent } from '../../storage/schema-types.ts'
import type { Consumer } from '../consumer.ts'
import type { RecentAck } from '../recent-acks.ts'
import { compileSelection } from '../selection/select-changes.ts'
import type { MessageState } from './list-messages.ts'
import { readPosition } from './move-queue.ts'

/** Where one change stands with one consumer. */
export interface ChangeAtConsumer {
  consumer: { id: string; name: string; mode: 'pull' | 'push' }
  /** `before_start`: the consumer began after it, and was never to get it. */
  state: MessageState | 'before_start'
  /** Deliveries that counted so far; null where that is not kept (acked on the first one). */
  attempt: number | null
  /** Of the newest delivery; null: there was none, or it is not known any more. */
  deliveredAt: Date | null
  /** Null: it is not acked, or it is not known when. */
  ackedAt: Date | null
  leaseExpiresAt: Date | null
  visibleAt: Date | null
  worker: string | null
  reason: string | null
  history: DeliveryEvent[]
  updatedAt: Date | null
}

/** When a message was acked, as far as this process remembers: the storage keeps it of few. */
type FindRecentAck = (consumer: Consumer, seq: number) => RecentAck | undefined

/** The fan-out of one change: its state with every consumer that selects it, by name. */
export async function showChange(
  db: Db,
  consumers: readonly Consumer[],
  entry: LogEntry,
  findRecentAck: FindRecentAck,
): Promise<ChangeAtConsumer[]> {
  const selecting = consumers
    .filter((consumer) => {
      const selection = compileSelection(consumer)
      return selection.selectsRelation(entry.relation) && selection.matches(entry) !== false
    })
    .toSorted((a, b) => a.name.localeCompare(b.name))
  return Promise.all(
    selecting.map(async (consumer) =>
      withAck(await findState(db, consumer, entry.seq), findRecentAck(consumer, entry.seq)),
    ),
  )
}

interface HoldRow {
  attempt: number | null
  leased_at: Date
  expires_at: Date
  worker: string | null
}

async function findState(db: Db, consumer: Consumer, seq: number): Promise<ChangeAtConsumer> {
  // One snapshot: a message that moves meanwhile is seen in exactly one place.
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (trx) => {
      const { cursor } = await readPosition(trx, consumer)
      const delivery = await trx
        .selectFrom('millrace.delivery')
        .selectAll()
        .where('consumer_no', '=', consumer.consumerNo)
        .where('seq', '=', String(seq))
        .orderBy('replay_no')
        .limit(1)
        .executeTakeFirst()
      const { rows } = await sql<HoldRow>`
        select held.attempt, leased_at, coalesce(to_timestamp(held.expires_ms / 1000.0), expires_at) as expires_at, worker
        from millrace.lease, unnest(seqs, attempts, expires_ms) as held (seq, attempt, expires_ms)
        where consumer_no = ${consumer.consumerNo} and held.seq = ${seq}::bigint`.execute(trx)
      const hold = rows[0]
      const passed =
        seq > cursor
          ? 'ahead'
          : (await isBeforeStart(trx, consumer, seq))
            ? 'before_start'
            : 'acked'
      return {
        consumer: { id: consumer.id, name: consumer.name, mode: consumer.mode },
        state: hold ? 'leased' : (delivery?.state ?? passed),
        attempt: hold
          ? (hold.attempt ?? 1)
          : (delivery?.attempt ?? (passed === 'acked' ? null : 0)),
        deliveredAt: hold?.leased_at ?? null,
        ackedAt: null,
        leaseExpiresAt: hold?.expires_at ?? null,
        visibleAt: delivery?.visible_at ?? null,
        worker: hold?.worker ?? null,
        reason: delivery?.reason ?? null,
        history: delivery?.history ?? [],
        updatedAt: delivery?.updated_at ?? null,
      }
    })
}

async function isBeforeStart(trx: Db, consumer: Consumer, seq: number): Promise<boolean> {
  const { rows } = await sql<{ is_before: boolean | null }>`
    select start_seq >= ${seq}::bigint as is_before
    from millrace.consumer where consumer_no = ${consumer.consumerNo}`.execute(trx)
  return rows[0]?.is_before ?? false
}

/** What went well leaves no row behind; what this process remembers of it is added here. */
function withAck(place: ChangeAtConsumer, ack: RecentAck | undefined): ChangeAtConsumer {
  if (place.state !== 'acked' && place.state !== 'before_start') return place
  const kept = place.history.findLast(({ outcome }) => outcome === 'acked')
  const ackedAt = ack ? new Date(ack.ackedMs) : kept ? new Date(kept.at) : null
  if (ackedAt === null) return place
  const deliveredAt = ack?.deliveredMs ? new Date(ack.deliveredMs) : null
  return { ...place, state: 'acked', attempt: place.attempt ?? 1, deliveredAt, ackedAt }
}
