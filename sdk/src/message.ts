/** A row of which the SDK knows nothing. */
export type UnknownRow = Record<string, unknown>

export interface Metadata {
  table_schema: string
  table_name: string
  commit_timestamp: string
  commit_lsn: number
  commit_idx: number
  /** Stable over redeliveries and replays: what to deduplicate by. */
  idempotency_key: string
  database: { id: string; name: string }
  consumer: { id: string; name: string; annotations?: Record<string, unknown> }
  /** Columns left out of `record`, because Postgres did not send their unchanged value. */
  unchanged_columns?: string[]
  /** What the writing transaction said of itself. */
  transaction_annotations?: Record<string, unknown>
  /** A sample that somebody had sent to try the webhook: its row does not exist. */
  test?: true
}

export interface Delivery {
  /** From 1, one more with every delivery. */
  attempt: number
  /** Equal for messages that are handled one after the other; null: no order. */
  group: string | null
  lease_expires_at: string
  /** The replay that brought it, where someone asked for this message again. */
  replay?: number
}

interface Envelope {
  metadata: Metadata
}

/** A row appeared, or was found by a backfill (`read`). */
export interface RowAdded<Row> extends Envelope {
  action: 'insert' | 'read'
  record: Row
  changes: null
}

export interface RowUpdated<Row> extends Envelope {
  action: 'update'
  record: Row
  /** The previous values of the columns that changed, as far as Postgres sends them. */
  changes: Partial<Row> | null
}

export interface RowDeleted<Row> extends Envelope {
  action: 'delete'
  /** The columns of the replica identity; all of them under replica identity full. */
  record: Partial<Row>
  changes: null
}

export interface TableTruncated extends Envelope {
  action: 'truncate'
  record: Record<string, never>
  changes: null
}

/** A committed change, told apart by `action`. */
export type Change<Row = UnknownRow> =
  | RowAdded<Row>
  | RowUpdated<Row>
  | RowDeleted<Row>
  | TableTruncated

/** A change as it is leased to this client until it is settled. */
export type Message<Row = UnknownRow> = Change<Row> & { ack_id: string; delivery: Delivery }

/** A change as it is posted to a webhook, where the answer settles it. */
export type PushedMessage<Row = UnknownRow> = Change<Row> & {
  delivery: Omit<Delivery, 'lease_expires_at'> & { lease_expires_at?: string }
}
