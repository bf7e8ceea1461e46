import type pg from 'pg'

import type { Item, Lease } from './state/item.ts'
import type { QueueState } from './state/queue-state.ts'
import type { Tick } from './state/tick.ts'

/** See `commit_tick` in migrations/0002_commit_tick.sql. */
const COMMIT = `select outcome, clock_ms::text from millrace.commit_tick(
  $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
  $21, $22, $23, $24)`

export type TickOutcome = 'done' | 'stale' | 'config' | 'gone'

/**
 * Writes a tick, or nothing: only if the stored state is still the one that
 * `state` was before the tick was worked out. On 'done' the state's version and
 * the times of new leases are brought up to what was stored; on anything else,
 * an exception included, the state in memory is void.
 */
export async function commitTick(
  pool: pg.Pool,
  consumer: { consumerNo: number; configVersion: number },
  state: QueueState,
  tick: Tick,
): Promise<{ outcome: TickOutcome; clockMs: number }> {
  const token = Math.floor(Math.random() * Number.MAX_SAFE_INTEGER)
  const { newLeases } = tick
  const hasNew = newLeases.length > 0
  const changed = [...tick.touchedLeases]
  const dropped = changed.filter((lease) => lease.live === 0)
  const shrunk = changed.filter((lease) => lease.live > 0)
  const drops = [...tick.droppedDeliveries.values()]
  const { rows } = await pool.query<{ outcome: TickOutcome; clock_ms: string }>({
    name: 'commit-tick',
    text: COMMIT,
    values: [
      consumer.consumerNo,
      consumer.configVersion,
      state.version,
      state.token,
      token,
      state.cursor,
      state.leaseFloor,
      state.nextLeaseNo,
      tick.durable,
      hasNew ? literal(newLeases.map(({ lease }) => lease.leaseNo)) : null,
      hasNew ? literal(newLeases.map(({ lease }) => lease.nonce)) : null,
      hasNew ? literal(newLeases.map(({ visibilityTimeoutMs }) => visibilityTimeoutMs)) : null,
      hasNew ? newLeases.map(({ lease }) => lease.worker) : null,
      hasNew ? newLeases.map(({ lease }) => literal(lease.items.map((item) => item!.seq))) : null,
      hasNew ? newLeases.map(({ lease }) => column(lease, (item) => item.attempt, 1)) : null,
      hasNew ? newLeases.map(({ lease }) => column(lease, (item) => item.replayNo, 0)) : null,
      hasNew ? newLeases.map(({ lease }) => column(lease, (item) => item.group, 0)) : null,
      hasNew ? newLeases.map(({ lease }) => column(lease, (item) => item.other, 0)) : null,
      dropped.length > 0 ? literal(dropped.map((lease) => lease.leaseNo)) : null,
      shrunk.length > 0 ? JSON.stringify(shrunk.map(describeLease)) : null,
      tick.deliveries.size > 0 ? JSON.stringify([...tick.deliveries.values()]) : null,
      drops.length > 0 ? literal(drops.map((item) => item.seq)) : null,
      drops.length > 0 ? literal(drops.map((item) => item.replayNo)) : null,
      tick.movedReplays.size > 0
        ? JSON.stringify(
            [...tick.movedReplays].map((replay) => ({
              replay_no: replay.replayNo,
              cursor_seq: replay.cursor,
              finished: replay.cursor >= replay.to,
            })),
          )
        : null,
    ],
  })
  const { outcome, clock_ms } = rows[0]!
  const clockMs = Number(clock_ms)
  if (outcome === 'done') {
    state.version += 1
    state.token = token
    for (const { lease, visibilityTimeoutMs } of newLeases) {
      stampLease(lease, clockMs, visibilityTimeoutMs)
    }
  }
  return { outcome, clockMs }
}

function stampLease(lease: Lease, clockMs: number, visibilityTimeoutMs: number): void {
  lease.leasedMs = clockMs
  lease.expiresMs = clockMs + visibilityTimeoutMs
  for (const item of lease.items) if (item) item.expiresMs = lease.expiresMs
}

function describeLease(lease: Lease): Record<string, unknown> {
  const items = lease.items.filter((item) => item !== null)
  const earliest = Math.min(...items.map((item) => item.expiresMs))
  lease.expiresMs = earliest
  const uniform = items.every((item) => item.expiresMs === earliest)
  return {
    lease_no: lease.leaseNo,
    seqs: items.map((item) => item.seq),
    attempts: items.map((item) => item.attempt),
    replays: items.some((item) => item.replayNo !== 0) ? items.map((item) => item.replayNo) : null,
    groups: items.map((item) => item.group),
    other_groups: items.some((item) => item.other !== 0) ? items.map((item) => item.other) : null,
    expires_ms: uniform ? null : items.map((item) => item.expiresMs),
    expires_at_ms: earliest,
  }
}

/** A column of a new lease as an array literal; null when every value is the usual one. */
function column(lease: Lease, read: (item: Item) => number, usual: number): string | null {
  const { items } = lease
  return items.every((item) => read(item!) === usual)
    ? null
    : literal(items.map((item) => read(item!)))
}

function literal(numbers: readonly number[]): string {
  return `{${numbers.join(',')}}`
}
