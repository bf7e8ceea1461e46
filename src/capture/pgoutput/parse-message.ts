import { ByteReader } from './byte-reader.ts'
import type {
  LogicalMessage,
  Message,
  MessageColumn,
  RelationMessage,
  ReplicaIdentity,
  TruncateMessage,
} from './message.ts'

const TAG = {
  begin: 0x42,
  commit: 0x43,
  delete: 0x44,
  insert: 0x49,
  message: 0x4d,
  origin: 0x4f,
  relation: 0x52,
  truncate: 0x54,
  update: 0x55,
  type: 0x59,
} as const

/** Postgres counts from 2000-01-01. */
const POSTGRES_EPOCH_US = 946_684_800_000_000n

/** A table has at most 1600 columns; anything above is not a relation. */
const COLUMNS_MAX = 1664

/**
 * Reads one message. Of a row change only the kind and the table are read here:
 * its values are turned into JSON in one pass by `RowDecoder`.
 * @throws DecodeError
 */
export function parseMessage(buffer: Buffer): Message {
  switch (buffer[0]) {
    case TAG.insert:
      return { kind: 'insert', relationOid: relationOidOf(buffer) }
    case TAG.update:
      return { kind: 'update', relationOid: relationOidOf(buffer) }
    case TAG.delete:
      return { kind: 'delete', relationOid: relationOidOf(buffer) }
  }
  const reader = new ByteReader(buffer)
  const message = parseControl(reader, buffer[0])
  reader.expectEnd()
  return message
}

function relationOidOf(buffer: Buffer): number {
  if (buffer.length >= 5) return buffer.readUInt32BE(1)
  return new ByteReader(buffer).uint32()
}

function parseControl(reader: ByteReader, tag: number | undefined): Message {
  switch (tag) {
    case TAG.begin:
      return {
        kind: 'begin',
        commitLsn: reader.uint64(),
        committedAtUs: Number(reader.int64() + POSTGRES_EPOCH_US),
        xid: reader.uint32(),
      }
    case TAG.commit: {
      reader.uint8()
      const commitLsn = reader.uint64()
      const endLsn = reader.uint64()
      reader.int64()
      if (endLsn <= commitLsn) throw reader.error('a commit ends before it starts')
      return { kind: 'commit', commitLsn, endLsn }
    }
    case TAG.relation:
      return parseRelation(reader)
    case TAG.message:
      return parseLogicalMessage(reader)
    case TAG.truncate:
      return parseTruncate(reader)
    case TAG.origin:
      reader.uint64()
      reader.name()
      return { kind: 'origin' }
    case TAG.type:
      reader.uint32()
      reader.name()
      reader.name()
      return { kind: 'type' }
    default:
      reader.offset = 0
      throw reader.error('unknown message')
  }
}

function parseRelation(reader: ByteReader): RelationMessage {
  const oid = reader.uint32()
  // Postgres sends an empty name for pg_catalog.
  const schema = reader.name() || 'pg_catalog'
  const table = reader.name()
  const replicaIdentity = String.fromCharCode(reader.uint8())
  if (!isReplicaIdentity(replicaIdentity)) throw reader.error('unknown replica identity')
  const count = reader.uint16()
  if (count > COLUMNS_MAX) throw reader.error(`${count} columns`)
  const columns: MessageColumn[] = []
  for (let index = 0; index < count; index++) {
    const flags = reader.uint8()
    const name = reader.name()
    const typeOid = reader.uint32()
    reader.uint32()
    columns.push({ name, typeOid, key: (flags & 1) === 1 })
  }
  return { kind: 'relation', oid, schema, table, replicaIdentity, columns }
}

function isReplicaIdentity(value: string): value is ReplicaIdentity {
  return value === 'd' || value === 'n' || value === 'f' || value === 'i'
}

/** Others' messages may hold any bytes: only those meant for us must be text. */
function parseLogicalMessage(reader: ByteReader): LogicalMessage {
  const transactional = (reader.uint8() & 1) === 1
  reader.uint64()
  const prefix = reader.name()
  const length = reader.uint32()
  if (!prefix.startsWith('millrace.')) {
    if (reader.offset + length > reader.buffer.length) throw reader.error('the content is cut')
    reader.offset += length
    return { kind: 'message', transactional, prefix, content: null }
  }
  return { kind: 'message', transactional, prefix, content: reader.utf8(length) }
}

function parseTruncate(reader: ByteReader): TruncateMessage {
  const count = reader.uint32()
  reader.uint8()
  if (count * 4 !== reader.buffer.length - reader.offset) {
    throw reader.error(`${count} tables do not fit`)
  }
  return { kind: 'truncate', relationOids: Array.from({ length: count }, () => reader.uint32()) }
}
