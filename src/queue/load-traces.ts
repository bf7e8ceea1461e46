import type pg from 'pg'

import type { AckId } from './ack-id.ts'
import { keyOfItem, type ItemKey } from './state/item.ts'
import type { DeliveryTrace } from './state/settle-items.ts'

interface TraceRow {
  seq: string
  replay_no: number
  state: DeliveryTrace['state']
  attempt: number
  lease_no: string | null
  nonce: string | null
}

/** What `delivery` keeps of messages whose leases are gone. Asks nothing when there are none. */
export async function loadTraces(
  pool: pg.Pool,
  consumerNo: number,
  ids: readonly AckId[],
): Promise<Map<ItemKey, DeliveryTrace>> {
  const traces = new Map<ItemKey, DeliveryTrace>()
  if (ids.length === 0) return traces
  const { rows } = await pool.query<TraceRow>({
    name: 'load-traces',
    text: `select delivery.seq::text, delivery.replay_no, state, attempt, lease_no::text, nonce::text
           from unnest($2::bigint[], $3::int[]) as asked (seq, replay_no)
           join millrace.delivery using (seq, replay_no)
           where consumer_no = $1`,
    values: [consumerNo, ids.map(({ seq }) => seq), ids.map(({ replayNo }) => replayNo)],
  })
  for (const row of rows) {
    traces.set(keyOfItem(Number(row.seq), row.replay_no), {
      state: row.state,
      attempt: row.attempt,
      leaseNo: row.lease_no === null ? null : Number(row.lease_no),
      nonce: row.nonce === null ? null : Number(row.nonce),
    })
  }
  return traces
}
