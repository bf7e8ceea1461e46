/** One thing that must be so for capturing to work. */
export interface SourceCheck {
  readonly name: SourceCheckName
  readonly status: 'pass' | 'warn' | 'fail'
  readonly detail: string
  /** What mends it, to be run on the source; null: nothing to run. */
  readonly sql: string | null
}

export type SourceCheckName =
  | 'reader'
  | 'reachable'
  | 'pooler'
  | 'version'
  | 'wal_level'
  | 'replication_privilege'
  | 'slot'
  | 'idle_slot_timeout'
  | 'slot_wal_limit'
  | 'catalog_xmin_age'
  | 'free_slots'
  | 'free_senders'
  | 'publication'
  | 'tables_covered'
  | 'replica_identity'
  | 'own_storage'

export function pass(name: SourceCheckName, detail: string): SourceCheck {
  return { name, status: 'pass', detail, sql: null }
}

/** Nothing that stops capturing, and something that will be missed later. */
export function warn(name: SourceCheckName, detail: string, sql: string | null): SourceCheck {
  return { name, status: 'warn', detail, sql }
}

export function fail(name: SourceCheckName, detail: string, sql: string | null): SourceCheck {
  return { name, status: 'fail', detail, sql }
}
