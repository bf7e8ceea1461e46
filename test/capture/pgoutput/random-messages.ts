import fc from 'fast-check'
import { expect } from 'vitest'

import { DecodeError } from '../../../src/capture/pgoutput/decode-error.ts'
import type { RelationMessage } from '../../../src/capture/pgoutput/message.ts'
import { parseMessage } from '../../../src/capture/pgoutput/parse-message.ts'
import { RowDecoder } from '../../../src/capture/pgoutput/row-decoder.ts'
import { planRows } from '../../../src/capture/pgoutput/row-plan.ts'
import { TypeCatalogue } from '../../../src/capture/pgoutput/type-catalogue.ts'

/** name, OID, values: one of each way that a value becomes JSON. */
export const COLUMNS = [
  ['id', 20, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)],
  ['n', 1700, fc.constantFrom('0', '-1.50', '1e+30', 'NaN', '-Infinity')],
  ['b', 16, fc.constantFrom('t', 'f')],
  ['naïve "name"', 25, fc.string({ unit: 'binary' })],
  ['at', 1184, fc.constantFrom('2024-01-01 00:00:00+00', 'infinity')],
  ['bin', 17, fc.uint8Array().map((bytes) => `\\x${Buffer.from(bytes).toString('hex')}`)],
  ['list', 1009, fc.constantFrom('{}', '{"a,b",NULL,"\\"q\\""}', '{{1,2},{3,4}}')],
] as const

const RELATION: RelationMessage = {
  kind: 'relation',
  oid: 77,
  schema: 'public',
  table: 't',
  replicaIdentity: 'd',
  columns: COLUMNS.map(([name, typeOid], index) => ({ name, typeOid, key: index === 0 })),
}
export const PLAN = planRows(RELATION, new TypeCatalogue(), null)

export const tuple = fc.tuple(
  ...COLUMNS.map(([, , value], index) =>
    index === 0 ? value : fc.option(value as fc.Arbitrary<string>),
  ),
)

function encodeTuple(values: readonly (string | null)[]): Buffer {
  const parts = [Buffer.from([0, values.length])]
  for (const value of values) {
    if (value === null) {
      parts.push(Buffer.from('n'))
      continue
    }
    const bytes = Buffer.from(value)
    const head = Buffer.from('t    ')
    head.writeUInt32BE(bytes.length, 1)
    parts.push(head, bytes)
  }
  return Buffer.concat(parts)
}

const OID = Buffer.from([0, 0, 0, 77])
/** Only the key of an old row is sent, with nulls in place of the rest. */
const keyOf = ([id]: readonly (string | null)[]) => [id!, ...COLUMNS.slice(1).map(() => null)]
const int64 = (value: bigint) => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}
const join = (...parts: (string | Buffer)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)))

export const insertOf = (row: readonly (string | null)[]) => join('I', OID, 'N', encodeTuple(row))
export const relationMessage = join(
  'R',
  OID,
  'public\0t\0d',
  Buffer.from([0, COLUMNS.length]),
  ...COLUMNS.map(([name, typeOid], index) =>
    join(Buffer.from([index === 0 ? 1 : 0]), `${name}\0`, int64((BigInt(typeOid) << 32n) - 0n)),
  ),
)
export const beginOf = (lsn: bigint) => join('B', int64(lsn), int64(0n), Buffer.alloc(4, 1))
export const commitOf = (lsn: bigint) => join('C\0', int64(lsn), int64(lsn + 8n), int64(0n))

export const change = fc.oneof(
  tuple.map(insertOf),
  tuple.map((row) => join('U', OID, 'N', encodeTuple(row))),
  fc
    .tuple(tuple, tuple)
    .map(([old, row]) => join('U', OID, 'O', encodeTuple(old), 'N', encodeTuple(row))),
  fc
    .tuple(tuple, tuple)
    .map(([old, row]) => join('U', OID, 'K', encodeTuple(keyOf(old)), 'N', encodeTuple(row))),
  tuple.map((row) => join('D', OID, 'O', encodeTuple(row))),
  tuple.map((row) => join('D', OID, 'K', encodeTuple(keyOf(row)))),
)

/** One of every type that there is. */
export const message = fc.oneof(
  change,
  fc.constantFrom(
    beginOf(1n),
    commitOf(1n),
    relationMessage,
    join('T', Buffer.from([0, 0, 0, 1, 0]), OID),
    join('M\x01', Buffer.alloc(8), 'millrace.x\0\0\0\0\x02{}'),
    join('M\0', Buffer.alloc(8), 'other\0\0\0\0\x01', Buffer.from([0xff])),
    join('O', Buffer.alloc(8), 'origin\0'),
    join('Y', OID, 'public\0mood\0'),
  ),
)

export const mutations = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 })

export function mutate(whole: Buffer, changes: readonly (readonly [number, number])[]): Buffer {
  const changed = Buffer.from(whole)
  for (const [place, byte] of changes) changed[place % changed.length] = byte
  return changed
}

/** Decodes whatever it is; the row where it is one. */
export function decode(buffer: Buffer): RowDecoder | null {
  const parsed = parseMessage(buffer)
  if (parsed.kind !== 'insert' && parsed.kind !== 'update' && parsed.kind !== 'delete') return null
  const decoder = new RowDecoder()
  decoder.decode(parsed.kind, PLAN, buffer)
  return decoder
}

/** Says of which message, and where in it. */
export function expectNamed(error: unknown, buffer: Buffer): void {
  expect(error).toBeInstanceOf(DecodeError)
  const { messageType, offset, message: text } = error as DecodeError
  const tag = buffer[0]
  const name =
    tag === undefined
      ? 'empty'
      : tag > 0x20 && tag < 0x7f
        ? String.fromCharCode(tag)
        : `0x${tag.toString(16).padStart(2, '0')}`
  expect(messageType).toBe(name)
  expect(offset).toBeGreaterThanOrEqual(0)
  expect(offset).toBeLessThanOrEqual(buffer.length)
  expect(text.startsWith(`pgoutput message "${name}", offset ${offset}: `)).toBe(true)
}
