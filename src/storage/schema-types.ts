import type { ColumnType, Generated, GeneratedAlways, JSONColumnType } from 'kysely'

/** `bigint` columns arrive as strings; they are written as strings or safe integers. */
type Int8 = ColumnType<string, string | number | bigint, string | number | bigint>
type GeneratedInt8 = ColumnType<
  string,
  string | number | bigint | undefined,
  string | number | bigint
>
type Time = ColumnType<Date, Date | string, Date | string>
type GeneratedTime = ColumnType<Date, Date | string | undefined, Date | string>
type Json<T> = ColumnType<T, string, string>
type GeneratedJson<T> = ColumnType<T, string | undefined, string>

export interface SourceTable {
  source_no: GeneratedAlways<number>
  id: Generated<string>
  name: string
  host: string
  port: number
  database: string
  username: string
  password_sealed: Buffer | null
  ssl: GeneratedJson<{ mode: string; ca?: string }>
  slot: string
  publication: string
  tables: string[] | null
  annotations: GeneratedJson<Record<string, unknown>>
  config_version: GeneratedInt8
  created_at: GeneratedTime
  updated_at: GeneratedTime
  phase: Generated<'creating' | 'ready' | 'removing'>
  made_slot: Generated<boolean>
  made_publication: Generated<boolean>
}

/** Changes of a source that were missed for good. */
export interface Gap {
  from: string
  to: string
  reason: string
  at: string
  /** It may still grow. */
  open?: boolean
  /** An operator said to go on behind it. */
  accepted?: boolean
}

export type ReaderState = 'starting' | 'healthy' | 'retrying' | 'needs_attention' | 'paused'

interface ReaderTable {
  source_no: number
  epoch: GeneratedInt8
  process_id: string | null
  system_identifier: string | null
  timeline: number | null
  state: Generated<ReaderState>
  state_reason: string | null
  state_remedy: string | null
  state_at: GeneratedTime
  gaps: GeneratedJson<Gap[]>
  confirmed_lsn: GeneratedInt8
  confirmed_at: Time | null
  other_cluster_seq: GeneratedInt8
  lag_bytes: Int8 | null
}

interface PositionTable {
  source_no: number
  first_seq: Int8
  next_seq: Int8
  commit_lsn: Int8
  commit_idx: number
  committed_at: Time | null
  end_lsn: GeneratedInt8
}

interface RelationTable {
  source_no: number
  relation_no: number
  relation_oid: Int8
  table_schema: string
  table_name: string
  columns: Json<{ name: string; type: string; type_oid: number; key: boolean }[]>
  key_columns: string[]
  created_at: GeneratedTime
}

interface LogTable {
  source_no: number
  seq: Int8
  commit_lsn: Int8
  commit_idx: number
  committed_at: Time
  relation_no: number
  action: string
  size: number
  recipient_no: number | null
  key: string | null
  old_key: string | null
  record: string
  changes: string | null
  extra: string | null
}

interface UndecodableTable {
  source_no: number
  commit_lsn: Int8
  commit_idx: number
  relation_no: number | null
  error: string
  bytes: Buffer
  created_at: GeneratedTime
}

export interface PushConfig {
  url: string
  batch_size: number
  timeout_ms: number
  max_in_flight: number
  rate_per_second: number | null
  /** Plain http to addresses that the operator did not list. */
  allow_http: boolean
}

export interface ConsumerTable {
  consumer_no: GeneratedAlways<number>
  id: Generated<string>
  name: string
  source_no: number
  tables: string[]
  actions: string[]
  filter: string | null
  columns: JSONColumnType<{ include?: string[]; exclude?: string[] }> | null
  kind: Generated<'changes' | 'rows'>
  mode: Generated<'pull' | 'push'>
  push: JSONColumnType<PushConfig> | null
  push_sealed: Buffer | null
  start_from: Generated<string>
  visibility_timeout_ms: Generated<number>
  max_in_flight: Generated<number>
  max_waiting: Generated<number>
  max_deliveries: number | null
  ordering: Generated<'group' | 'none'>
  group_by: string[] | null
  annotations: GeneratedJson<Record<string, unknown>>
  paused_until: ColumnType<Date | number | null, Date | string | null, Date | string | null>
  pause_reason: string | null
  config_version: GeneratedInt8
  created_at: GeneratedTime
  updated_at: GeneratedTime
  start_seq: Int8 | null
}

interface TickTable {
  consumer_no: number
  version: Int8
  writer: Int8
  cursor_seq: Int8
  lease_floor: Int8
  next_lease_no: Int8
  lost_lease_no: GeneratedInt8
}

interface LeaseTable {
  consumer_no: number
  lease_no: Int8
  nonce: Int8
  leased_at: Time
  expires_at: Time
  worker: string | null
  seqs: string[]
  attempts: number[] | null
  replays: number[] | null
  groups: string[] | null
  other_groups: string[] | null
  expires_ms: string[] | null
}

export interface DeliveryEvent {
  at: string
  attempt: number
  outcome: string
  reason?: string
  worker?: string
}

interface DeliveryTable {
  consumer_no: number
  seq: Int8
  replay_no: Generated<number>
  state: 'waiting' | 'retrying' | 'leased' | 'dead' | 'acked'
  attempt: number
  group_hash: Int8
  other_group_hash: GeneratedInt8
  visible_at: Time | null
  lease_no: Int8 | null
  nonce: Int8 | null
  expired: Generated<boolean>
  reason: string | null
  history: GeneratedJson<DeliveryEvent[]>
  updated_at: Time
}

interface ReplayTable {
  consumer_no: number
  replay_no: number
  cursor_seq: Int8
  to_seq: Int8
  key: string | null
  total: Int8 | null
  created_at: Time
  finished_at: Time | null
}

interface TokenTable {
  id: string
  name: string
  secret_sha256: Buffer
  scopes: string[]
  consumers: string[] | null
  created_at: GeneratedTime
  expires_at: Time | null
  revoked_at: Time | null
  last_used_at: Time | null
}

interface ProcessTable {
  id: string
  host: string
  pid: number
  version: string
  roles: string[]
  started_at: Time
  seen_at: Time
}

export type BackfillState = 'pending' | 'running' | 'paused' | 'done' | 'cancelled' | 'failed'

/** How far a backfill came: behind a key, or in a table without one behind a place. */
export type BackfillPosition =
  /** `order` names the columns that it is a key of. */
  | { key: string[]; order: string }
  /** `blocks` is where it ends, `file` what the table was stored in when it began. */
  | { place: string; blocks: number; file: string }

export interface BackfillTable {
  backfill_no: GeneratedAlways<number>
  id: Generated<string>
  source_no: number
  consumer_no: number | null
  table_schema: string | null
  table_name: string | null
  state: Generated<BackfillState>
  predicate: string | null
  from_key: string[] | null
  position: JSONColumnType<BackfillPosition> | null
  rows_scanned: GeneratedInt8
  rows_read: GeneratedInt8
  rows_estimated: Int8 | null
  rows_per_second: number | null
  error: string | null
  created_at: GeneratedTime
  started_at: Time | null
  finished_at: Time | null
  updated_at: GeneratedTime
}

/** The storage as Kysely sees it; `migrations/` is the truth, `schema.sql` its dump. */
export interface Schema {
  'millrace.source': SourceTable
  'millrace.reader': ReaderTable
  'millrace.position': PositionTable
  'millrace.relation': RelationTable
  'millrace.log': LogTable
  'millrace.undecodable': UndecodableTable
  'millrace.consumer': ConsumerTable
  'millrace.tick': TickTable
  'millrace.lease': LeaseTable
  'millrace.delivery': DeliveryTable
  'millrace.replay': ReplayTable
  'millrace.token': TokenTable
  'millrace.process': ProcessTable
  'millrace.backfill': BackfillTable
}
