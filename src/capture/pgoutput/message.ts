/** What pgoutput sends, version 1 of the protocol, without streaming and two-phase commit. */
export type Message =
  | BeginMessage
  | CommitMessage
  | RelationMessage
  | LogicalMessage
  | TruncateMessage
  | RowMessage
  | { readonly kind: 'origin' | 'type' }

export interface BeginMessage {
  readonly kind: 'begin'
  /** Where the commit record starts: the identity of the transaction. */
  readonly commitLsn: bigint
  /** Microseconds since 1970. */
  readonly committedAtUs: number
  readonly xid: number
}

export interface CommitMessage {
  readonly kind: 'commit'
  readonly commitLsn: bigint
  /** The first byte behind the commit record: what may be confirmed, exactly. */
  readonly endLsn: bigint
}

/** How Postgres identifies a row in an update or delete: default, nothing, full, index. */
export type ReplicaIdentity = 'd' | 'n' | 'f' | 'i'

export interface RelationMessage {
  readonly kind: 'relation'
  readonly oid: number
  readonly schema: string
  readonly table: string
  readonly replicaIdentity: ReplicaIdentity
  readonly columns: readonly MessageColumn[]
}

export interface MessageColumn {
  readonly name: string
  readonly typeOid: number
  /** Part of the replica identity; under `full` every column is. */
  readonly key: boolean
}

/** From `pg_logical_emit_message`. */
export interface LogicalMessage {
  readonly kind: 'message'
  readonly transactional: boolean
  readonly prefix: string
  readonly content: string | null
}

export interface TruncateMessage {
  readonly kind: 'truncate'
  readonly relationOids: readonly number[]
}

/** A row change; its tuples are read by `RowDecoder`, which knows the relation. */
export interface RowMessage {
  readonly kind: 'insert' | 'update' | 'delete'
  readonly relationOid: number
}
