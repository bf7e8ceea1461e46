import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { MillraceError } from '../../src/errors.ts'
import { ackIdPrefix, formatAckId, parseAckId } from '../../src/queue/ack-id.ts'

const FORM =
  /^a-[0-9a-z]{1,7}-[0-9a-z]{1,11}-[0-9a-z]{1,11}-[0-9a-z]{1,4}-[0-9a-z]{1,11}(?:-[0-9a-z]{1,7})?$/

describe('an ack id', () => {
  test('says what it was made of', () => {
    const no = fc.nat(2 ** 31 - 1)
    const big = fc.maxSafeNat()
    fc.assert(
      fc.property(no, big, fc.nat(2 ** 48 - 1), fc.nat(999), big, no, (...all) => {
        const [consumerNo, leaseNo, nonce, ordinal, seq, replayNo] = all
        const prefix = ackIdPrefix(consumerNo, leaseNo, nonce)
        const id = { consumerNo, leaseNo, nonce, ordinal, seq, replayNo }
        expect(parseAckId(formatAckId(prefix, ordinal, seq, replayNo), 0)).toEqual(id)
      }),
    )
  })

  test.for([
    '',
    'a',
    'a-',
    'b-1-2-3-4-5',
    'a-1-2-3-4',
    'a-1-2-3-4-5-6-7',
    'a-1-2-3-4-5-',
    'a-1--3-4-5',
    'a-1-2-3-4-5 ',
    'a-1-2-3-4-5\n',
    'A-1-2-3-4-5',
    'a-1-2-3-4-5-ä',
    'a-1-2-3-4-B',
    'a-12345678-2-3-4-5',
    // Beyond 2^53.
    'a-1-zzzzzzzzzzz-3-4-5',
  ])('is not %j', (text) => {
    expect(() => parseAckId(text, 7)).toThrow(MillraceError)
    expect(() => parseAckId(text, 7)).toThrow(
      expect.objectContaining({ errors: [{ pointer: '/7', detail: 'not an ack id' }] }),
    )
  })

  test('is nothing that has not its form', () => {
    const field = fc.string({ unit: fc.constantFrom('0', 'z', '-', 'A', ' '), maxLength: 4 })
    const text = fc.array(field, { maxLength: 8 }).map((fields) => ['a', ...fields].join('-'))
    const isAckId = (id: string): boolean => {
      try {
        parseAckId(id, 0)
        return true
      } catch {
        return false
      }
    }
    fc.assert(
      fc.property(text, (id) => {
        expect(isAckId(id)).toBe(FORM.test(id))
      }),
      { numRuns: 2000 },
    )
  })
})
