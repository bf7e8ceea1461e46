import { pass, warn, type SourceCheck } from './source-check.ts'

/** What the server may do to a slot that nobody reads, and what such a slot does to the server. */
export interface SlotLimits {
  /** `idle_replication_slot_timeout` as it is shown, `0` for none; null: before Postgres 18. */
  readonly idle_timeout: string | null
  /** `max_slot_wal_keep_size` in MB; -1: none. */
  readonly wal_keep_mb: number
}

export interface SlotUse {
  readonly active: boolean
  readonly wal_status: string | null
  /** Bytes of WAL until it is lost; null: not limited, or lost. */
  readonly safe_wal_size: number | null
  /** Transactions since the oldest whose catalogue rows are kept for it; null: none. */
  readonly catalog_xmin_age: number | null
}

/** Below this part of the limit it is time to do something. */
const WAL_LEFT_MIN = 0.25
/** Where Postgres itself begins to worry: the default of `autovacuum_freeze_max_age`. */
const XMIN_AGE_MAX = 200_000_000

const RELOAD = 'select pg_reload_conf();'

/** They warn and never fail: each is a choice between losing changes and filling up the source. */
export function checkSlotLimits(
  limits: SlotLimits,
  slot: SlotUse | null,
  name: string,
): SourceCheck[] {
  return [
    checkIdleTimeout(limits, name),
    checkWalKept(limits, slot, name),
    checkXminAge(slot, name),
  ]
}

function checkIdleTimeout({ idle_timeout }: SlotLimits, name: string): SourceCheck {
  if (idle_timeout === null || idle_timeout === '0') {
    return pass('idle_slot_timeout', 'a slot that nobody reads is kept, however long')
  }
  return warn(
    'idle_slot_timeout',
    `idle_replication_slot_timeout is ${idle_timeout}: if Millrace is stopped for longer, a checkpoint invalidates the slot "${name}", and the changes since then are lost`,
    `alter system set idle_replication_slot_timeout = 0;\n${RELOAD}`,
  )
}

function checkWalKept(
  { wal_keep_mb }: SlotLimits,
  slot: SlotUse | null,
  name: string,
): SourceCheck {
  const check = 'slot_wal_limit'
  if (wal_keep_mb < 0) {
    return warn(
      check,
      `max_slot_wal_keep_size is -1: while Millrace is stopped the source keeps all WAL from then on, until its disk is full; with a limit, changes past it are lost instead`,
      `alter system set max_slot_wal_keep_size = '50GB'; -- what its disk has to spare\n${RELOAD}`,
    )
  }
  const limit = `max_slot_wal_keep_size is ${wal_keep_mb} MB: changes are lost once the source has written more than that while Millrace was stopped`
  if (slot === null || slot.safe_wal_size === null) return pass(check, limit)
  const leftMb = Math.max(0, Math.floor(slot.safe_wal_size / 2 ** 20))
  const distance = `${limit}; the slot "${name}" (${slot.wal_status}) is ${leftMb} MB away from it`
  const isNear = slot.wal_status === 'unreserved' || leftMb < wal_keep_mb * WAL_LEFT_MIN
  if (!isNear) return pass(check, distance)
  return warn(
    check,
    distance,
    `alter system set max_slot_wal_keep_size = '${Math.max(wal_keep_mb, 1) * 2}MB'; -- if its disk has as much to spare\n${RELOAD}`,
  )
}

function checkXminAge(slot: SlotUse | null, name: string): SourceCheck {
  const check = 'catalog_xmin_age'
  const age = slot?.catalog_xmin_age ?? 0
  if (age <= XMIN_AGE_MAX) {
    return pass(check, `the slot keeps catalogue rows of the last ${age} transactions from vacuum`)
  }
  const danger = `the slot "${name}" keeps catalogue rows of the last ${age} transactions from vacuum, more than ${XMIN_AGE_MAX}: the catalogues bloat, and at 2 billion the source takes no writes any more`
  if (slot?.active !== true) {
    return warn(
      check,
      `${danger}. Nobody reads it: start the reader of this source, or delete the source`,
      `select pg_drop_replication_slot('${name}'); -- only if it is not wanted any more: its changes are lost`,
    )
  }
  return warn(
    check,
    `${danger}. It is read: a transaction that is open for as long holds it back, or the reader is far behind`,
    `select pid, usename, xact_start, age(coalesce(backend_xid, backend_xmin)), query from pg_stat_activity where xact_start is not null order by age(coalesce(backend_xid, backend_xmin)) desc nulls last; -- then pg_terminate_backend(pid)
select gid, prepared, age(transaction) from pg_prepared_xacts order by 3 desc; -- then rollback prepared`,
  )
}
