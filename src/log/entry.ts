/** What happened to a row. `read` is a row found by a backfill. */
export type Action = 'insert' | 'update' | 'delete' | 'read' | 'truncate'

/** The shape of a captured table at one time; immutable, shared by all entries of that shape. */
export interface Relation {
  readonly relationNo: number
  readonly oid: number
  readonly schema: string
  readonly table: string
  readonly columns: readonly RelationColumn[]
  /** Columns of the replica identity (usually the primary key), in column order. Empty: none. */
  readonly keyColumns: readonly string[]
}

export interface RelationColumn {
  readonly name: string
  /** As `format_type` would say it where known, else the OID as text. */
  readonly type: string
  readonly typeOid: number
  readonly key: boolean
}

/** One row of `millrace.log`, as the reader writes it and as everybody else reads it. */
export interface LogEntry {
  /** Position in the source's log: from 1, without gaps. */
  readonly seq: number
  /** The LSN of the transaction's commit record, as a decimal number in text. */
  readonly commitLsn: string
  /** Ordinal of the change in its transaction, from 1. */
  readonly commitIdx: number
  /** Commit time: microseconds since 1970-01-01 UTC. A safe integer until the year 2255. */
  readonly committedAtUs: number
  readonly relation: Relation
  readonly action: Action
  /** The consumer that a row found by a backfill is for; null: everyone. */
  readonly recipientNo: number | null
  /** The primary key as the inside of a JSON array (`1,"a"`); null: the table has none. */
  readonly key: string | null
  /** The key before an update that changed it, else null. */
  readonly oldKey: string | null
  /** A JSON object. */
  readonly record: string
  /** A JSON object with the previous values of the columns that changed, or null. */
  readonly changes: string | null
  /** Further members of `metadata`, as the inside of a JSON object, or null. */
  readonly extra: string | null
  /** Bytes of `record` and `changes` in UTF-8 (or a close upper estimate). */
  readonly size: number
  /** Ordering groups of `key` and `oldKey`, made once when first needed; 0 or absent: not yet. */
  groupHash?: number
  otherGroupHash?: number
}
