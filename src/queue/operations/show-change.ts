import { sql } from 'kysely'

import type { LogEntry } from '../../log/entry.ts'
import type { Db } from '../../storage/database.ts'
import type { DeliveryEvent } from '../../storage/schema-types.ts'
import type { Consumer } from '../consumer.ts'
import { compileSelection } from '../selection/select-changes.ts'
import type { MessageState } from './list-messages.ts'
import { readPosition } from './move-queue.ts'

/** Where one change stands with one consumer. */
export interface ChangeAtConsumer {
  consumer: { id: string; name: string }
  state: MessageState
  /** Deliveries that counted so far; null where that is not kept (acked on the first one). */
  attempt: number | null
  leaseExpiresAt: Date | null
  visibleAt: Date | null
  worker: string | null
  reason: string | null
  history: DeliveryEvent[]
  updatedAt: Date | null
}

/** The fan-out of one change: its state with every consumer that selects it, by name. */
export async function showChange(
  db: Db,
  consumers: readonly Consumer[],
  entry: LogEntry,
): Promise<ChangeAtConsumer[]> {
  const selecting = consumers
    .filter((consumer) => {
      const selection = compileSelection(consumer)
      return selection.selectsRelation(entry.relation) && selection.matches(entry) !== false
    })
    .sort((a, b) => a.name.localeCompare(b.name))
  return Promise.all(selecting.map((consumer) => findState(db, consumer, entry.seq)))
}

interface HoldRow {
  attempt: number | null
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
        select held.attempt, coalesce(to_timestamp(held.expires_ms / 1000.0), expires_at) as expires_at, worker
        from millrace.lease, unnest(seqs, attempts, expires_ms) as held (seq, attempt, expires_ms)
        where consumer_no = ${consumer.consumerNo} and held.seq = ${seq}::bigint`.execute(trx)
      const hold = rows[0]
      const passed = seq <= cursor ? 'acked' : 'ahead'
      return {
        consumer: { id: consumer.id, name: consumer.name },
        state: hold ? 'leased' : (delivery?.state ?? passed),
        attempt: hold ? (hold.attempt ?? 1) : (delivery?.attempt ?? (seq > cursor ? 0 : null)),
        leaseExpiresAt: hold?.expires_at ?? null,
        visibleAt: delivery?.visible_at ?? null,
        worker: hold?.worker ?? null,
        reason: delivery?.reason ?? null,
        history: delivery?.history ?? [],
        updatedAt: delivery?.updated_at ?? null,
      }
    })
}
