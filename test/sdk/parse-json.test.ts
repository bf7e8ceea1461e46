import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { parseJson } from '../../sdk/src/parse-json.ts'

describe('parseJson', () => {
  test('keeps integers beyond 2^53 as bigint, and others as numbers', () => {
    const text = '[9007199254740991, 9007199254740993, -9223372036854775808, 12, -0, 0]'

    expect(parseJson(text)).toEqual([
      9007199254740991,
      9007199254740993n,
      -9223372036854775808n,
      12,
      -0,
      0,
    ])
  })

  test('keeps decimals that would lose digits as text', () => {
    const text =
      '[0.1, 99.90, 0.30000000000000004, 12345678901234.123456, 1e400, 1E-400, 1e20, 0e999, 1.0e2]'

    expect(parseJson(text)).toEqual([
      0.1,
      99.9,
      0.30000000000000004,
      '12345678901234.123456',
      '1e400',
      '1E-400',
      1e20,
      0,
      100,
    ])
  })

  test('leaves digits inside strings and keys alone', () => {
    const value = {
      '12345678901234567890': 'a "quoted" 12345678901234567890 \\',
      '\\"': '\\\\"98765432109876543210',
      b: [{ deep: '-99999999999999999999' }],
    }

    expect(parseJson(JSON.stringify(value))).toEqual(value)
  })

  test('finds large integers at any depth, also under the key __proto__', () => {
    const parsed = parseJson('{"a":[{"__proto__":12345678901234567890}]}') as {
      a: Record<string, unknown>[]
    }

    expect(Object.getOwnPropertyDescriptor(parsed.a[0], '__proto__')?.value).toBe(
      12345678901234567890n,
    )
  })

  test('answers a bare large number', () => {
    expect(parseJson('123456789012345678901')).toBe(123456789012345678901n)
  })

  test('gives integers as text in the mode string, so that they can be printed again', () => {
    const parsed = parseJson('{"id":9223372036854775807,"n":1}', 'string')

    expect(JSON.stringify(parsed)).toBe('{"id":"9223372036854775807","n":1}')
  })

  test('does as JSON.parse in the mode native', () => {
    expect(parseJson('9223372036854775807', 'native')).toBe(2 ** 63)
  })

  test.each([
    '{"a":1-2}',
    '[01234567890123456789]',
    '"open',
    '{"a":12345678901234567890',
    '1.e5',
    '',
  ])('refuses %s', (text) => {
    expect(() => parseJson(text)).toThrow(SyntaxError)
  })

  test('parses all that JSON.stringify prints as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(3), (text, indent) => {
        const printed = JSON.stringify(JSON.parse(text), null, indent)

        expect(parseJson(printed, 'string')).toEqual(JSON.parse(printed, integersAsPrinted))
      }),
    )
  })

  test('loses no digit of any integer or decimal', () => {
    const digits = fc.stringMatching(/^-?[1-9]\d{0,40}(\.\d{0,20}[1-9])?$/)
    fc.assert(
      fc.property(digits, (source) => {
        const { n } = parseJson(`{"n":${source}}`) as { n: unknown }

        expect(String(n)).toBe(source)
      }),
    )
  })
})

function integersAsPrinted(_: string, value: unknown): unknown {
  const large = Number.isInteger(value) && !Number.isSafeInteger(value)
  return large && /^-?\d+$/.test(String(value)) ? String(value) : value
}
