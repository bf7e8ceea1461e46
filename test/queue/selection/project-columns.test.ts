import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { MemberCursor } from '../../../src/queue/selection/json-members.ts'
import { compileProjection } from '../../../src/queue/selection/project-columns.ts'

/** Few names, so that rules and objects meet; some that need escapes. */
const name = fc.oneof(
  fc.constantFrom('id', 'note', 'a"b', 'back\\slash', 'ä', '', 'constructor', '__proto__'),
  fc.string(),
)
const value = fc.oneof(fc.jsonValue(), fc.constantFrom('}', '"', '\\', '\\"', ',', '[{'))
const members = fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key, maxLength: 12 })
const spacing = fc.constantFrom('', ' ', '\n\t ')

function writeObject(entries: readonly (readonly [string, unknown])[], space: string): string {
  const parts = entries.map(
    ([key, each]) =>
      `${space}${JSON.stringify(key)}${space}:${space}${JSON.stringify(each)}${space}`,
  )
  return `${space}{${parts.join(',')}${space}}${space}`
}

describe('projection', () => {
  test('keeps exactly the included members of any object', () => {
    fc.assert(
      fc.property(members, fc.array(name), spacing, (entries, include, space) => {
        const json = writeObject(entries, space)
        const kept = entries.filter(([key]) => include.includes(key))
        const projected = compileProjection({ include })(json)
        expect(JSON.parse(projected)).toEqual(JSON.parse(writeObject(kept, '')))
      }),
    )
  })

  test('drops exactly the excluded members of any object, whatever came before', () => {
    fc.assert(
      fc.property(fc.array(members), fc.array(name), (objects, exclude) => {
        const project = compileProjection({ exclude })
        for (const entries of objects) {
          const kept = entries.filter(([key]) => !exclude.includes(key))
          expect(project(writeObject(entries, ''))).toBe(writeObject(kept, ''))
        }
      }),
    )
  })

  test('keeps every digit of a number, and the order of the members', () => {
    const json =
      '{"b":123456789012345678901234567890,"x":1,"a":0.10000000000000000000000000000,"c":1e400000}'
    expect(compileProjection({ exclude: ['x'] })(json)).toBe(
      '{"b":123456789012345678901234567890,"a":0.10000000000000000000000000000,"c":1e400000}',
    )
    expect(compileProjection({ include: ['a', 'b'] })(json)).toBe(
      '{"b":123456789012345678901234567890,"a":0.10000000000000000000000000000}',
    )
  })

  test('knows a name in any of its spellings', () => {
    const json = String.raw`{"\u00e4":1,"b":2,"\/":3}`
    expect(compileProjection({ exclude: ['ä', '/'] })(json)).toBe('{"b":2}')
  })

  test('leaves an empty object when nothing is kept', () => {
    expect(compileProjection({ include: ['z'] })('{"a":1,"b":[{"z":1}]}')).toBe('{}')
  })

  test.each([
    '',
    '[]',
    '{',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":"x',
    '{"a":[1',
    '{"a" 1}',
    '{"a":1 "b":2}',
    '{,}',
    'null',
  ])('what is no JSON object is refused: %s', (text) => {
    const cursor = new MemberCursor()
    const walk = () => {
      cursor.open(text)
      while (cursor.next());
    }
    expect(walk).toThrow(SyntaxError)
  })
})
