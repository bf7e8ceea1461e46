import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { DecodeError } from '../../../src/capture/pgoutput/decode-error.ts'
import type { RelationMessage } from '../../../src/capture/pgoutput/message.ts'
import { parseMessage } from '../../../src/capture/pgoutput/parse-message.ts'
import { RowDecoder } from '../../../src/capture/pgoutput/row-decoder.ts'
import { planRows } from '../../../src/capture/pgoutput/row-plan.ts'
import { TypeCatalogue } from '../../../src/capture/pgoutput/type-catalogue.ts'

/** name, OID, values: one of each way that a value becomes JSON. */
const COLUMNS = [
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
const PLAN = planRows(RELATION, new TypeCatalogue(), null)

const tuple = fc.tuple(
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

const message = fc.oneof(
  tuple.map((row) => Buffer.concat([Buffer.from('I'), OID, Buffer.from('N'), encodeTuple(row)])),
  fc
    .tuple(tuple, tuple)
    .map(([old, row]) =>
      Buffer.concat([
        Buffer.from('U'),
        OID,
        Buffer.from('O'),
        encodeTuple(old),
        Buffer.from('N'),
        encodeTuple(row),
      ]),
    ),
  tuple.map((row) => Buffer.concat([Buffer.from('D'), OID, Buffer.from('O'), encodeTuple(row)])),
  fc.constantFrom(
    Buffer.concat([Buffer.from('B'), Buffer.alloc(20, 1)]),
    Buffer.concat([Buffer.from('C'), Buffer.alloc(9), Buffer.alloc(16, 1)]),
    Buffer.concat([
      Buffer.from('R'),
      OID,
      Buffer.from('public\0t\0d\0\x01\x01id\0'),
      Buffer.alloc(8),
    ]),
    Buffer.concat([Buffer.from('T'), Buffer.from([0, 0, 0, 1, 0]), OID]),
    Buffer.concat([Buffer.from('M\x01'), Buffer.alloc(8), Buffer.from('millrace.x\0\0\0\0\x02{}')]),
  ),
)

/** Decodes whatever it is; the row where it is one. */
function decode(buffer: Buffer): RowDecoder | null {
  const parsed = parseMessage(buffer)
  if (parsed.kind !== 'insert' && parsed.kind !== 'update' && parsed.kind !== 'delete') return null
  const decoder = new RowDecoder()
  decoder.decode(parsed.kind, PLAN, buffer)
  return decoder
}

/** Either a named error, or JSON: nothing else may come of any bytes. */
function expectErrorOrJson(buffer: Buffer): void {
  try {
    const row = decode(buffer)
    if (!row) return
    JSON.parse(row.record)
    JSON.parse(row.changes ?? 'null')
    JSON.parse(`[${row.key}]`)
    const bytes = Buffer.byteLength(row.record + (row.changes ?? ''))
    expect(row.size).toBeGreaterThanOrEqual(bytes)
    expect(row.size).toBeLessThanOrEqual(bytes + 2 * PLAN.excess)
  } catch (error) {
    expect(error).toBeInstanceOf(DecodeError)
    expect(error).toHaveProperty('offset')
    expect((error as Error).message).toMatch(/^pgoutput message "(.|empty|0x..)", offset \d+: /s)
  }
}

describe('any bytes', () => {
  test('give a row as it was written', () => {
    fc.assert(
      fc.property(tuple, (row) => {
        const bytes = Buffer.concat([Buffer.from('I'), OID, Buffer.from('N'), encodeTuple(row)])
        const record = JSON.parse(decode(bytes)!.record) as Record<string, unknown>
        expect(record['naïve "name"']).toBe(row[3])
        expect(Object.keys(record)).toHaveLength(COLUMNS.length)
      }),
    )
  })

  test('cut short give an error that names message and offset', () => {
    fc.assert(
      fc.property(message, fc.double({ min: 0, max: 1, noNaN: true }), (whole, share) => {
        const cut = whole.subarray(0, Math.min(whole.length - 1, Math.floor(whole.length * share)))
        expect(() => decode(cut)).toThrow(DecodeError)
      }),
      { numRuns: 2000 },
    )
  })

  test('changed anywhere give an error, or still JSON', () => {
    fc.assert(
      fc.property(
        message,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (whole, changes) => {
          const changed = Buffer.from(whole)
          for (const [place, byte] of changes) changed[place % changed.length] = byte
          expectErrorOrJson(changed)
        },
      ),
      { numRuns: 5000 },
    )
  })

  test('at random give an error, or JSON', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom(...'IUDBCRTMOYx'.split('')),
        (bytes, tag) => expectErrorOrJson(Buffer.concat([Buffer.from(tag), bytes])),
      ),
      { numRuns: 5000 },
    )
  })
})
