import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { BUILTIN_TYPES } from '../../../src/capture/pgoutput/builtin-types.ts'
import { compositeCodec } from '../../../src/capture/pgoutput/composite-codec.ts'
import { DecodeError } from '../../../src/capture/pgoutput/decode-error.ts'
import { hstoreCodec } from '../../../src/capture/pgoutput/hstore-codec.ts'
import type { RowDecoder } from '../../../src/capture/pgoutput/row-decoder.ts'
import { jsonCodec, stringCodec, ValueError } from '../../../src/capture/pgoutput/value-codec.ts'
import {
  COLUMNS,
  decode,
  expectNamed,
  insertOf,
  message,
  mutate,
  mutations,
  PLAN,
  tuple,
} from './random-messages.ts'

/** Either a named error, or JSON: nothing else may come of any bytes. */
function expectErrorOrJson(buffer: Buffer): void {
  let row: RowDecoder | null
  try {
    row = decode(buffer)
  } catch (error) {
    expectNamed(error, buffer)
    return
  }
  if (!row) return
  JSON.parse(row.record)
  JSON.parse(row.changes ?? 'null')
  JSON.parse(`[${row.key}]`)
  const bytes = Buffer.byteLength(row.record + (row.changes ?? ''))
  expect(row.size).toBeGreaterThanOrEqual(bytes)
  expect(row.size).toBeLessThanOrEqual(bytes + 2 * PLAN.excess)
}

describe('any bytes', () => {
  test('give a row as it was written', () => {
    fc.assert(
      fc.property(tuple, (row) => {
        const record = JSON.parse(decode(insertOf(row))!.record) as Record<string, unknown>
        expect(record['naïve "name"']).toBe(row[3])
        expect(Object.keys(record)).toHaveLength(COLUMNS.length)
      }),
    )
  })

  test('cut short give an error that names message and offset', () => {
    fc.assert(
      fc.property(message, fc.double({ min: 0, max: 1, noNaN: true }), (whole, share) => {
        const cut = whole.subarray(0, Math.min(whole.length - 1, Math.floor(whole.length * share)))
        try {
          decode(cut)
        } catch (error) {
          expectNamed(error, cut)
          return
        }
        expect.fail('it was taken for a whole message')
      }),
      { numRuns: 2000 },
    )
  })

  test('with more behind them give an error', () => {
    fc.assert(
      fc.property(message, fc.uint8Array({ minLength: 1, maxLength: 9 }), (whole, rest) => {
        expect(() => decode(Buffer.concat([whole, rest]))).toThrow(DecodeError)
      }),
    )
  })

  test('changed anywhere give an error, or still JSON', () => {
    fc.assert(
      fc.property(message, mutations, (whole, changes) => {
        expectErrorOrJson(mutate(whole, changes))
      }),
      { numRuns: 5000 },
    )
  })

  test('at random give an error, or JSON', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom(...'IUDBCRTMOYx\0'.split('')),
        (bytes, tag) => expectErrorOrJson(Buffer.concat([Buffer.from(tag), bytes])),
      ),
      { numRuns: 5000 },
    )
  })
})

describe('every codec', () => {
  const place = compositeCodec([
    { name: 'a', codec: stringCodec },
    { name: 'b', codec: hstoreCodec },
  ])
  const codecs = [
    ['hstore', hstoreCodec],
    ['composite', place],
    // What Postgres has checked is embedded as it is.
    ...[...BUILTIN_TYPES.values()]
      .filter(({ name, codec }) => codec !== jsonCodec && !/^jsonb?\[\]$/.test(name))
      .map(({ name, codec }) => [name, codec] as const),
  ] as const
  const nasty = fc.string({
    unit: fc.constantFrom(...Array.from('{}(),;"\\=> NULL0123456789.-+e:TtfxaInityZéß\n')),
    maxLength: 40,
  })

  test('makes JSON of any text, or refuses it', () => {
    fc.assert(
      fc.property(fc.constantFrom(...codecs), fc.oneof(nasty, fc.string()), ([, codec], text) => {
        let json: string
        try {
          json = codec.encode(text)
        } catch (error) {
          expect(error).toBeInstanceOf(ValueError)
          return
        }
        JSON.parse(json)
      }),
      { numRuns: 20_000 },
    )
  })

  test('takes values of many megabytes, whatever they are made of', () => {
    const SIZE = 12_000_000
    const long = 'x'.repeat(SIZE)
    const quotes = '\\"'.repeat(SIZE / 4)
    const codecOf = (oid: number) => BUILTIN_TYPES.get(oid)!.codec
    const lengths = [
      stringCodec.encode(long).length,
      codecOf(17).encode(`\\x${'ab'.repeat(SIZE)}`).length,
      codecOf(1700).encode('9'.repeat(130_000) + '.' + '1'.repeat(16_000)).length,
      codecOf(1009).encode(`{${long},"${quotes}"}`).length,
      codecOf(1007).encode(`{${'1,'.repeat(SIZE / 8)}1}`).length,
      hstoreCodec.encode(`"${quotes}"=>"${long}"`).length,
      place.encode(`("${quotes}${long}",)`).length,
    ]
    expect(lengths).toEqual([
      SIZE + 2,
      (SIZE / 3) * 4 + 2,
      146_001,
      SIZE + SIZE / 2 + 7,
      SIZE / 4 + 3,
      SIZE + SIZE / 2 + 7,
      SIZE + SIZE / 2 + 17,
    ])
    for (const broken of [`{${long}`, `{"${quotes}`, `("${quotes}`, `"${quotes}"=>`]) {
      for (const codec of [codecOf(1009), hstoreCodec, place]) {
        expect(() => codec.encode(broken)).toThrow(ValueError)
      }
    }
  })
})
