import { describe, expect } from 'vitest'

import { createToken } from '../../src/tokens/token-store.ts'
import { ADMIN_TOKEN, makeApi, test, type Api } from './api.ts'

const CONSOLE = { 'x-millrace-console': '1' }

/** Signs in; answers what a browser would send from then on. */
async function signIn(api: Api, token = ADMIN_TOKEN): Promise<{ cookie: string; whole: string }> {
  const answer = await api.call('POST', '/session', { token }, { token: null, headers: CONSOLE })
  expect(answer.status).toBe(200)
  const whole = answer.headers.get('set-cookie') ?? ''
  return { cookie: whole.split(';')[0]!, whole }
}

describe('a session', () => {
  test('begins with a token and lets its cookie read', async ({ api }) => {
    const { cookie, whole } = await signIn(api)

    expect(whole).toMatch(/; Path=\/; Max-Age=604800; HttpOnly; SameSite=Strict$/)
    expect(whole).not.toContain(ADMIN_TOKEN)
    const me = await api.call('GET', '/session', undefined, { token: null, headers: { cookie } })
    expect(me.body).toEqual({ scopes: ['consume', 'read', 'manage', 'admin'], consumers: '*' })
    const list = await api.call('GET', '/v1/consumers', undefined, {
      token: null,
      headers: { cookie: `other=1; ${cookie}; more=2` },
    })
    expect(list.status).toBe(200)
  })

  test('changes nothing without the header that other sites cannot send', async ({ api }) => {
    const { cookie } = await signIn(api)
    const body = { name: 'spare', scopes: ['read'] }

    const forged = await api.call('POST', '/v1/tokens', body, { token: null, headers: { cookie } })
    expect(forged).toMatchObject({ status: 401, body: { code: 'unauthenticated' } })
    const { body: tokens } = await api.call('GET', '/v1/tokens')
    expect(tokens.data).toEqual([])

    const ours = await api.call('POST', '/v1/tokens', body, {
      token: null,
      headers: { cookie, ...CONSOLE },
    })
    expect(ours.status).toBe(201)
  })

  test('is not begun or ended by another site', async ({ api }) => {
    const begun = await api.call('POST', '/session', { token: ADMIN_TOKEN }, { token: null })
    expect(begun.status).toBe(401)
    expect(begun.headers.get('set-cookie')).toBeNull()
    const ended = await api.call('DELETE', '/session', undefined, { token: null })
    expect(ended.status).toBe(401)
  })

  test('is refused to a token that is none', async ({ api }) => {
    const answer = await api.call(
      'POST',
      '/session',
      { token: 'mr_nonsense' },
      { token: null, headers: CONSOLE },
    )
    expect(answer).toMatchObject({ status: 401, body: { code: 'unauthenticated' } })
    expect(answer.headers.get('set-cookie')).toBeNull()
  })

  test('may do what its token may, and no more', async ({ api, storage }) => {
    const { text } = await createToken(storage.db, {
      name: 'viewer',
      scopes: ['read'],
      consumers: null,
      expiresAt: null,
    })
    const { cookie } = await signIn(api, text)
    const refused = await api.call(
      'POST',
      '/v1/tokens',
      { name: 'more', scopes: ['admin'] },
      {
        token: null,
        headers: { cookie, ...CONSOLE },
      },
    )
    expect(refused).toMatchObject({ status: 403, body: { code: 'insufficient_scope' } })
  })

  test('sealed with one key is open to every process with that key and to no other', async ({
    api,
    storage,
  }) => {
    const secretKey = Buffer.alloc(32, 7)
    const one = makeApi(storage, api.queues, { secretKey })
    const two = makeApi(storage, api.queues, { secretKey })
    const { cookie } = await signIn(one)
    const read = (server: Api, value: string) =>
      server.call('GET', '/session', undefined, { token: null, headers: { cookie: value } })

    expect((await read(two, cookie)).status).toBe(200)
    expect((await read(api, cookie)).status).toBe(401)
    const at = cookie.length - 5
    const damaged = cookie.slice(0, at) + (cookie[at] === 'A' ? 'B' : 'A') + cookie.slice(at + 1)
    expect((await read(two, damaged)).status).toBe(401)
  })

  test('over https has a cookie for https alone', async ({ api }) => {
    const answer = await api.call(
      'POST',
      'https://millrace.example/session',
      { token: ADMIN_TOKEN },
      { token: null, headers: CONSOLE },
    )
    expect(answer.headers.get('set-cookie')).toMatch(/; Secure$/)
  })

  test('ends with its cookie taken back', async ({ api }) => {
    const answer = await api.call('DELETE', '/session', undefined, {
      token: null,
      headers: CONSOLE,
    })
    expect(answer.status).toBe(204)
    expect(answer.headers.get('set-cookie')).toContain('millrace_session=; Path=/; Max-Age=0')
  })
})
