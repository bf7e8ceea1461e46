import { describe, expect } from 'vitest'

import { allDefinitions } from '../../src/http/all-definitions.ts'
import type { RouteDefinition } from '../../src/http/route.ts'
import { SCOPES, type Scope } from '../../src/tokens/token.ts'
import { createToken } from '../../src/tokens/token-store.ts'
import type { Database } from '../../src/storage/database.ts'
import { givenConsumer, givenSource } from '../support/given.ts'
import { test } from './api.ts'

const routes: [string, RouteDefinition][] = Object.entries(allDefinitions)
const guarded = routes.filter(([, { access }]) => access !== 'public')

/** A body that is refused after the token was checked, so that no call changes anything. */
const BAD_BODY = { no_such_field: true }

function toPath(route: RouteDefinition, consumer = 'inventory'): string {
  return route.path
    .replace('{consumer}', consumer)
    .replace('{source}', 'nowhere')
    .replace('{token}', 'nothing')
    .replaceAll(/\{\w+\}/g, '1')
}

async function makeToken(
  storage: Database,
  scopes: readonly Scope[],
  consumers: readonly string[] | null = null,
): Promise<string> {
  const { text } = await createToken(storage.db, {
    name: 'test',
    scopes,
    consumers,
    expiresAt: null,
  })
  return text
}

describe('every route', () => {
  test('refuses a call without a token and one with a wrong token', async ({ storage, api }) => {
    const real = await makeToken(storage, SCOPES)
    const wrong = [
      null,
      '',
      'nonsense',
      `${real.slice(0, -1)}${real.endsWith('0') ? '1' : '0'}`,
      `mr_${'0'.repeat(12)}_${'0'.repeat(64)}`,
    ]
    for (const [id, route] of guarded) {
      for (const token of wrong) {
        const { status, headers, body } = await api.call(
          route.method.toUpperCase(),
          toPath(route),
          route.body ? BAD_BODY : undefined,
          { token },
        )
        expect([id, token, status, body.code]).toEqual([id, token, 401, 'unauthenticated'])
        expect(headers.get('www-authenticate')).toContain('Bearer')
      }
    }
  })
})

describe('a token for some consumers', () => {
  test('sees those in the list and creates no others', async ({ storage, api }) => {
    const source = await givenSource(storage)
    await givenConsumer(storage, source.sourceNo)
    await givenConsumer(storage, source.sourceNo, { name: 'shipping' })
    const token = await makeToken(storage, ['read', 'admin'], ['inventory', 'invoicing'])
    const create = (name: string): ReturnType<typeof api.call> =>
      api.call('POST', '/v1/consumers', { name, source: 'shop', tables: ['*'] }, { token })

    const list = await api.call('GET', '/v1/consumers', undefined, { token })
    const other = await create('other')
    const own = await create('invoicing')

    expect(list.body.data.map(({ name }: { name: string }) => name)).toEqual(['inventory'])
    expect([other.status, other.body.code]).toEqual([403, 'insufficient_scope'])
    expect(own.status).toBe(201)
  })
})

describe('tokens', () => {
  test('are made, used, listed and revoked', async ({ storage, api }) => {
    await givenSource(storage)
    const created = await api.call('POST', '/v1/tokens', { name: 'monitoring', scopes: ['read'] })
    const { token, id } = created.body
    const used = await api.call('GET', '/v1/consumers', undefined, { token })
    const list = await api.call('GET', '/v1/tokens')
    const revoked = await api.call('DELETE', `/v1/tokens/${id}`)
    const again = await api.call('DELETE', `/v1/tokens/${id}`)

    expect(created.status).toBe(201)
    expect(token).toBe(`mr_${id}_${(token as string).slice(16)}`)
    expect(used.status).toBe(200)
    expect(list.body.data).toEqual([
      {
        id,
        name: 'monitoring',
        scopes: ['read'],
        consumers: '*',
        created_at: expect.any(String),
        expires_at: null,
        revoked_at: null,
        last_used_at: expect.any(String),
      },
    ])
    expect(JSON.stringify(list.body)).not.toContain((token as string).slice(16))
    expect([revoked.status, again.status]).toEqual([204, 404])
    const listed = await api.call('GET', '/v1/tokens')
    expect(listed.body.data[0].revoked_at).toEqual(expect.any(String))
  })

  test('revoked elsewhere are refused within seconds', async ({ storage, api }) => {
    const token = await makeToken(storage, ['read'])
    const look = async (): Promise<number> =>
      (await api.call('GET', '/v1/consumers', undefined, { token })).status
    expect(await look()).toBe(200)
    // Another process.
    await storage.pool.query('update millrace.token set revoked_at = now()')

    await expect.poll(look, { timeout: 60_000, interval: 100 }).toBe(401)
  })

  test('that have expired are refused', async ({ storage, api }) => {
    const token = await makeToken(storage, ['read'])
    await storage.pool.query('update millrace.token set expires_at = now()')

    const { status } = await api.call('GET', '/v1/consumers', undefined, { token })

    expect(status).toBe(401)
  })

  test.for([
    [{ scopes: [] }, '/scopes'],
    [{ scopes: ['root'] }, '/scopes/0'],
    [{ consumers: [] }, '/consumers'],
    [{ consumers: ['No Name'] }, '/consumers/0'],
    [{ expires_at: 'soon' }, '/expires_at'],
    [{ name: '' }, '/name'],
  ] as const)('are not made with %j', async ([change, pointer], { api }) => {
    const { status, body } = await api.call('POST', '/v1/tokens', {
      name: 'test',
      scopes: ['read'],
      ...change,
    })

    expect(status).toBe(422)
    expect(body.errors[0].pointer).toBe(pointer)
  })
})
