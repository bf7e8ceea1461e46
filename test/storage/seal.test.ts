import { randomBytes } from 'node:crypto'

import { describe, expect, test } from 'vitest'

import { seal, unseal } from '../../src/storage/seal.ts'

const key = randomBytes(32)

describe('a sealed secret', () => {
  test('opens with its key, in its place, and looks different every time', () => {
    const sealed = seal(key, 'sésame', 'source:1:password')
    expect(unseal(key, sealed, 'source:1:password')).toBe('sésame')
    expect(sealed.includes('same')).toBe(false)
    expect(seal(key, 'sésame', 'source:1:password').equals(sealed)).toBe(false)
  })

  test('does not open in another place', () => {
    const sealed = seal(key, 'x', 'source:1:password')
    expect(() => unseal(key, sealed, 'source:2:password')).toThrow('damaged')
  })

  test('does not open when any byte of it is another', () => {
    const sealed = seal(key, 'x', 'here')
    for (let index = 0; index < sealed.length; index++) {
      const changed = Buffer.from(sealed)
      changed[index]! ^= 1
      expect(() => unseal(key, changed, 'here')).toThrow(/damaged|another/)
    }
    expect(() => unseal(key, sealed.subarray(0, 20), 'here')).toThrow('damaged')
  })

  test('asks for the key that it was sealed with', () => {
    const sealed = seal(key, 'x', 'here')
    for (const other of [undefined, randomBytes(32), randomBytes(16)]) {
      expect(() => unseal(other, sealed, 'here')).toThrow(/MILLRACE_SECRET_KEY/)
    }
    expect(() => seal(undefined, 'x', 'here')).toThrow(
      expect.objectContaining({ code: 'secret_key_missing' }) as Error,
    )
  })
})
