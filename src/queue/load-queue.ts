import type pg from 'pg'

import { QueueState } from './state/queue-state.ts'
import type { Item, Lease } from './state/item.ts'

/** All of a consumer's queue in one statement, and so in one snapshot. */
const LOAD = `
select
  tick.version::text, tick.writer::text, tick.cursor_seq::text, tick.next_lease_no::text,
  tick.lost_lease_no::text,
  (extract(epoch from millrace.clock()) * 1000)::bigint::text as clock_ms,
  (
    select coalesce(json_agg(json_build_object(
      'lease_no', lease_no, 'nonce', nonce, 'worker', worker,
      'leased_ms', (extract(epoch from leased_at) * 1000)::bigint,
      'expires_at_ms', (extract(epoch from expires_at) * 1000)::bigint,
      'seqs', seqs, 'attempts', attempts, 'replays', replays,
      'groups', groups, 'other_groups', other_groups, 'expires_ms', expires_ms
    ) order by lease_no), '[]')
    from millrace.lease
    where lease.consumer_no = $1 and lease_no >= tick.lease_floor
  ) as leases,
  (
    select coalesce(json_agg(json_build_object(
      'seq', seq, 'replay_no', replay_no, 'state', state, 'attempt', attempt,
      'group_hash', group_hash, 'other_group_hash', other_group_hash,
      'visible_ms', (extract(epoch from visible_at) * 1000)::bigint,
      'lease_no', lease_no, 'nonce', nonce, 'expired', expired
    ) order by seq, replay_no), '[]')
    from millrace.delivery
    where delivery.consumer_no = $1 and state in ('waiting', 'retrying', 'leased')
  ) as deliveries,
  (
    select coalesce(json_agg(json_build_object(
      'replay_no', replay_no, 'cursor_seq', cursor_seq, 'to_seq', to_seq, 'key', key
    ) order by replay_no), '[]')
    from millrace.replay
    where replay.consumer_no = $1 and finished_at is null
  ) as replays
from millrace.tick
where consumer_no = $1
order by tick.version desc
limit 1`

interface LeaseJson {
  lease_no: number
  nonce: number
  worker: string | null
  leased_ms: number
  expires_at_ms: number
  seqs: number[]
  attempts: number[] | null
  replays: number[] | null
  groups: number[] | null
  other_groups: number[] | null
  expires_ms: number[] | null
}

interface DeliveryJson {
  seq: number
  replay_no: number
  state: 'waiting' | 'retrying' | 'leased'
  attempt: number
  group_hash: number
  other_group_hash: number
  visible_ms: number | null
  lease_no: number | null
  nonce: number | null
  expired: boolean
}

interface QueueRow {
  version: string
  writer: string
  cursor_seq: string
  next_lease_no: string
  lost_lease_no: string
  clock_ms: string
  leases: LeaseJson[]
  deliveries: DeliveryJson[]
  replays: { replay_no: number; cursor_seq: number; to_seq: number; key: string | null }[]
}

/** Loads the state of a consumer's queue; undefined: the consumer is gone. */
export async function loadQueue(
  pool: pg.Pool,
  consumerNo: number,
): Promise<{ state: QueueState; clockMs: number } | undefined> {
  const { rows } = await pool.query<QueueRow>({
    name: 'load-queue',
    text: LOAD,
    values: [consumerNo],
  })
  const row = rows[0]
  if (!row) return undefined

  const state = new QueueState({
    version: Number(row.version),
    token: Number(row.writer),
    cursor: Number(row.cursor_seq),
    nextLeaseNo: Number(row.next_lease_no),
    lostLeaseNo: Number(row.lost_lease_no),
  })
  const storedLeased = new Set(
    row.deliveries.filter((d) => d.state === 'leased').map((d) => `${d.seq}/${d.replay_no}`),
  )
  for (const lease of row.leases) state.addLease(readLease(lease, storedLeased))
  for (const delivery of row.deliveries) {
    if (delivery.state === 'leased') continue
    state.setItemAside(readDelivery(delivery), delivery.state, delivery.visible_ms ?? 0)
  }
  for (const replay of row.replays) {
    state.replays.push({
      replayNo: replay.replay_no,
      cursor: replay.cursor_seq,
      to: replay.to_seq,
      key: replay.key,
    })
  }
  return { state, clockMs: Number(row.clock_ms) }
}

function readLease(row: LeaseJson, storedLeased: ReadonlySet<string>): Lease {
  const items = row.seqs.map((seq, index): Item => {
    const replayNo = row.replays?.[index] ?? 0
    return {
      seq,
      replayNo,
      group: row.groups?.[index] ?? 0,
      other: row.other_groups?.[index] ?? 0,
      state: 'leased',
      attempt: row.attempts?.[index] ?? 1,
      lease: null,
      expiresMs: row.expires_ms?.[index] ?? row.expires_at_ms,
      dueMs: 0,
      stored: storedLeased.has(`${seq}/${replayNo}`),
      lastLeaseNo: row.lease_no,
      lastNonce: row.nonce,
      expired: false,
    }
  })
  return {
    leaseNo: row.lease_no,
    nonce: row.nonce,
    worker: row.worker,
    leasedMs: row.leased_ms,
    committedMs: 0,
    expiresMs: row.expires_at_ms,
    items,
    live: 0,
    repeatsGroups: false,
  }
}

function readDelivery(row: DeliveryJson): Item {
  return {
    seq: row.seq,
    replayNo: row.replay_no,
    group: row.group_hash,
    other: row.other_group_hash,
    state: 'settled',
    attempt: row.attempt,
    lease: null,
    expiresMs: 0,
    dueMs: 0,
    stored: true,
    lastLeaseNo: row.lease_no ?? 0,
    lastNonce: row.nonce ?? 0,
    expired: row.expired,
  }
}
