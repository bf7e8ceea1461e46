import type pg from 'pg'

import type { AckId } from './ack-id.ts'
import { keyOfItem, type ItemKey } from './state/item.ts'
import type { DeliveryTrace } from './state/settle-items.ts'

interface TraceRow {
  version: string
  writer: string
  /** Null where nothing is kept of any message asked for. */
  seq: string | null
  replay_no: number | null
  state: DeliveryTrace['state']
  attempt: number
  lease_no: string | null
  nonce: string | null
}

/**
 * What `delivery` keeps of messages whose leases are gone; undefined when the
 * queue is not at `position` any more: the answer to such an id changes nothing
 * and so is checked by no compare-and-set, and must not mix old state with new
 * traces. Asks nothing when there are no ids.
 */
export async function loadTraces(
  pool: pg.Pool,
  consumerNo: number,
  position: { version: number; token: number },
  ids: readonly AckId[],
): Promise<Map<ItemKey, DeliveryTrace> | undefined> {
  const traces = new Map<ItemKey, DeliveryTrace>()
  if (ids.length === 0) return traces
  const { rows } = await pool.query<TraceRow>({
    name: 'load-traces',
    text: `select newest.version::text, newest.writer::text, seq::text, replay_no,
             state, attempt, lease_no::text, nonce::text
           from (
             select version, writer from millrace.tick
             where consumer_no = $1 order by version desc limit 1
           ) as newest
           left join (
             unnest($2::bigint[], $3::int[]) as asked (seq, replay_no)
             join millrace.delivery using (seq, replay_no)
           ) on consumer_no = $1`,
    values: [consumerNo, ids.map(({ seq }) => seq), ids.map(({ replayNo }) => replayNo)],
  })
  for (const row of rows) {
    if (Number(row.version) !== position.version || Number(row.writer) !== position.token) {
      return undefined
    }
    if (row.seq === null || row.replay_no === null) continue
    traces.set(keyOfItem(Number(row.seq), row.replay_no), {
      state: row.state,
      attempt: row.attempt,
      leaseNo: row.lease_no === null ? null : Number(row.lease_no),
      nonce: row.nonce === null ? null : Number(row.nonce),
    })
  }
  return traces
}
