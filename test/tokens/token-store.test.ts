import { describe, expect } from 'vitest'

import {
  createToken,
  findTokenByText,
  listTokens,
  revokeToken,
} from '../../src/tokens/token-store.ts'
import { parseToken } from '../../src/tokens/token.ts'
import { test } from '../support/database.ts'

const NEW_TOKEN = { name: 'test', scopes: ['read'] as const, consumers: null, expiresAt: null }

describe('a token', () => {
  test('is found by its text alone', async ({ storage }) => {
    const { token, text } = await createToken(storage.db, { ...NEW_TOKEN, consumers: ['a', 'b'] })
    const other = await createToken(storage.db, NEW_TOKEN)

    const found = await findTokenByText(storage.db, text)

    expect(found).toMatchObject({ id: token.id, scopes: ['read'], consumers: ['a', 'b'] })
    const { secret } = parseToken(other.text)!
    expect(await findTokenByText(storage.db, `mr_${token.id}_${secret}`)).toBeUndefined()
  })

  test('is stored as a hash', async ({ storage }) => {
    const { text } = await createToken(storage.db, NEW_TOKEN)

    const { rows } = await storage.pool.query('select token::text from millrace.token')

    expect(rows[0].token).not.toContain(parseToken(text)!.secret)
    expect(rows[0].token).not.toContain(Buffer.from(parseToken(text)!.secret).toString('hex'))
  })

  test('is good although its use cannot be noted', async ({ storage }) => {
    const { token, text } = await createToken(storage.db, NEW_TOKEN)
    await storage.pool.query(
      `create function refuse() returns trigger language plpgsql as $$
         begin raise 'no room left' using errcode = '53100'; end $$;
       create trigger refuse before update on millrace.token execute function refuse()`,
    )
    expect(await findTokenByText(storage.db, text)).toMatchObject({ id: token.id })
  })

  test('notes its use at most once a minute', async ({ storage }) => {
    const { text } = await createToken(storage.db, NEW_TOKEN)
    const lastUse = async (): Promise<Date | null> =>
      (await listTokens(storage.db, { limit: 1 }))[0]!.lastUsedAt

    expect(await lastUse()).toBeNull()
    await findTokenByText(storage.db, text)
    const first = await lastUse()
    await findTokenByText(storage.db, text)
    expect(first).not.toBeNull()
    expect(await lastUse()).toEqual(first)
    await storage.pool.query(
      "update millrace.token set last_used_at = now() - interval '2 minutes'",
    )
    await findTokenByText(storage.db, text)
    expect((await lastUse())!.getTime()).toBeGreaterThanOrEqual(first!.getTime())
  })

  test('that ended long ago is forgotten when another is revoked', async ({ storage }) => {
    const old = await createToken(storage.db, NEW_TOKEN)
    const recent = await createToken(storage.db, NEW_TOKEN)
    await revokeToken(storage.db, old.token.id)
    await storage.pool.query(
      "update millrace.token set revoked_at = now() - interval '31 days' where id = $1",
      [old.token.id],
    )

    await revokeToken(storage.db, recent.token.id)

    expect((await listTokens(storage.db, { limit: 10 })).map(({ id }) => id)).toEqual([
      recent.token.id,
    ])
  })
})
