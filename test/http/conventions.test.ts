import { describe, expect } from 'vitest'

import { MillraceError, type ErrorCode } from '../../src/errors.ts'
import { findJsonError } from '../../src/http/find-json-error.ts'
import { STATUS_OF } from '../../src/http/problem.ts'
import { openDatabase } from '../../src/storage/database.ts'
import { findFreePort } from '../support/postgres.ts'
import { makeApi, test } from './api.ts'
import { makeFakeQueues, makeReceived } from './fake-queues.ts'

const RECEIVE = '/v1/consumers/inventory/receive'
const nothing = makeFakeQueues(async () => makeReceived(0, 0, () => {}))

describe('every answer', () => {
  test('has an id, is not stored and is not sniffed', async ({ api }) => {
    for (const path of ['/livez', '/v1/consumers', '/nowhere', '/docs']) {
      const { headers } = await api.call('GET', path)
      expect(headers.get('x-request-id')).toMatch(/^req_[0-9a-f-]{36}$/)
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('cache-control')).toBe(path === '/docs' ? 'no-cache' : 'no-store')
    }
  })

  test('that refuses is a problem with the same id', async ({ api }) => {
    const { status, headers, body } = await api.call('GET', '/v1/consumers/nobody')

    expect(status).toBe(404)
    expect(headers.get('content-type')).toBe('application/problem+json')
    expect(body).toEqual({
      type: 'urn:millrace:problem:not_found',
      title: 'Not found',
      status: 404,
      code: 'not_found',
      detail: 'There is no consumer "nobody".',
      summary: 'There is no consumer "nobody".',
      request_id: headers.get('x-request-id'),
    })
  })
})

describe('a request', () => {
  test('to an unknown path is answered 404', async ({ api }) => {
    const { status, body } = await api.call('GET', '/v2/nothing')

    expect([status, body.code]).toEqual([404, 'not_found'])
  })

  test('for something with an impossible name is answered 404', async ({ api }) => {
    for (const name of ['%00', '%ff', 'a%20b', 'ä', 'x'.repeat(101), '..%2f..']) {
      for (const [method, path] of [
        ['GET', `/v1/consumers/${name}`],
        ['DELETE', `/v1/sources/${name}`],
        ['DELETE', `/v1/tokens/${name}`],
        ['POST', `/v1/consumers/${name}/receive`],
      ] as const) {
        const { status, body } = await api.call(method, path)
        expect([path, status, body.code]).toEqual([path, 404, 'not_found'])
      }
    }
  })

  test('by a wrong method is answered 405 with those that are right', async ({ api }) => {
    const { status, headers, body } = await api.call('GET', RECEIVE)

    expect([status, body.code]).toEqual([405, 'method_not_allowed'])
    expect(headers.get('allow')).toBe('POST')
  })

  test.for([
    ['{"batch_size": 1,}', 'unexpected "}" at position 17'],
    ['{"batch_size": ', 'unexpected the end at position 15'],
    ["{'batch_size': 1}", 'position 1'],
    ['[1 2]', 'unexpected "2]" at position 3'],
    ['nonsense', 'position 0'],
    ['{"a": 1} {', 'position 9'],
  ] as const)('with the malformed body %s learns where', async ([text, detail], { storage }) => {
    const { status, body } = await makeApi(storage, nothing).call('POST', RECEIVE, text)

    expect([status, body.code]).toEqual([400, 'malformed_json'])
    expect(body.detail).toContain(detail)
  })

  test('with a string that Postgres cannot hold is refused', async ({ storage }) => {
    const { call } = makeApi(storage, nothing)

    for (const worker of ['"\\u0000"', '"\\ud800"']) {
      const { status, body } = await call('POST', RECEIVE, `{"worker": ${worker}}`)
      expect([status, body.code]).toEqual([400, 'malformed_json'])
    }
    const escaped = await call('POST', RECEIVE, '{"worker": "\\\\u0000 \\u00e4"}')
    expect(escaped.status).toBe(200)
  })

  test('with another content type is refused', async ({ storage }) => {
    const { call } = makeApi(storage, nothing)

    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp']) {
      const { status, body } = await call('POST', RECEIVE, '{}', {
        headers: { 'content-type': type },
      })
      expect([status, body.code]).toEqual([415, 'unsupported_media_type'])
    }
    const withCharset = await call('POST', RECEIVE, '{}', {
      headers: { 'content-type': 'application/json; charset=utf-8' },
    })
    expect(withCharset.status).toBe(200)
  })

  test('without a body where one is needed is refused', async ({ api }) => {
    const { status, body } = await api.call('POST', '/v1/consumers')

    expect([status, body.code]).toEqual([400, 'malformed_json'])
  })

  test('with a query that is not valid is refused', async ({ api }) => {
    for (const query of ['limit=0', 'limit=1001', 'limit=x', 'cursor=!', 'limits=5']) {
      const { status, body } = await api.call('GET', `/v1/consumers?${query}`)
      expect([query, status, body.code]).toEqual([query, 400, 'invalid_parameter'])
    }
  })
})

describe('an error', () => {
  test.for(Object.entries(STATUS_OF))('%s has status %i', async ([code, status], { storage }) => {
    const queues = makeFakeQueues(() =>
      Promise.reject(new MillraceError(code as ErrorCode, 'No.', { retryAfterMs: 2500 })),
    )

    const answer = await makeApi(storage, queues).call('POST', RECEIVE, {})

    expect([answer.status, answer.body.code, answer.body.detail]).toEqual([status, code, 'No.'])
    const retries = status === 429 || status === 503
    expect(answer.headers.get('retry-after')).toBe(retries ? '3' : null)
  })

  test('that nobody expected is logged whole and answered bare', async ({ storage }) => {
    const logged: unknown[] = []
    const bug = new Error('secret detail')
    const { call } = makeApi(
      storage,
      makeFakeQueues(() => Promise.reject(bug)),
      {
        logger: {
          debug: () => {},
          info: () => {},
          warn: () => {},
          error: (message, fields) => logged.push({ message, ...fields }),
        },
      },
    )

    const { status, body } = await call('POST', RECEIVE, {})

    expect([status, body.code]).toEqual([500, 'internal'])
    expect(JSON.stringify(body)).not.toContain('secret detail')
    expect(logged).toEqual([
      {
        message: 'a request failed',
        request_id: body.request_id,
        operation: 'receiveMessages',
        error: bug,
      },
    ])
  })

  test('of the connection to the storage is answered 503', async () => {
    const database = openDatabase(
      `postgres://nobody:secret@127.0.0.1:${await findFreePort()}/nothing`,
    )
    const { call } = makeApi(database, nothing)

    const { status, headers, body } = await call('GET', '/v1/consumers')
    const ready = await call('GET', '/readyz')
    const unknownToken = await call('GET', '/v1/consumers', undefined, {
      token: `mr_${'0'.repeat(12)}_${'0'.repeat(64)}`,
    })

    expect([status, body.code]).toEqual([503, 'storage_unavailable'])
    expect(headers.get('retry-after')).toBe('1')
    expect([ready.status, ready.body.checks.storage]).toEqual([503, 'unreachable'])
    expect(unknownToken.body.code).toBe('storage_unavailable')
    await database.close()
  })
})

describe('findJsonError', () => {
  test('agrees with JSON.parse on what is JSON', () => {
    const good = [
      '{}',
      '[]',
      ' {"a":[1,-0.5e+3,"\\u00e4\\n",true,null,{}]} ',
      '"a"',
      '0',
      '[[],[]]',
    ]
    const bad = ['', '{', '[', '01', '1.', '-', '"\n"', '"\\x"', '{"a"}', '{"a":1,}', '[,]', '{}{}']

    for (const text of good) {
      expect(() => JSON.parse(text) as unknown).not.toThrow()
      expect([text, findJsonError(text)]).toEqual([text, text.length])
    }
    for (const text of bad) {
      expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError)
      const at = findJsonError(text)
      expect(at).toBeLessThanOrEqual(text.length)
    }
  })
})

describe('operations', () => {
  test('say that the process runs, and is ready', async ({ api }) => {
    const live = await api.call('GET', '/livez', undefined, { token: null })
    const ready = await api.call('GET', '/readyz', undefined, { token: null })

    expect(live.body).toEqual({ status: 'ok', version: '1.2.3', roles: ['api'] })
    expect([ready.status, ready.body]).toEqual([
      200,
      { status: 'ok', checks: { storage: 'ok', draining: false } },
    ])
  })

  test('say that a draining process is not ready', async ({ storage }) => {
    const { call } = makeApi(storage, nothing, { isDraining: () => true })

    const { status, headers, body } = await call('GET', '/readyz')

    expect([status, body.checks.draining]).toEqual([503, true])
    expect(headers.get('retry-after')).toBe('1')
  })

  test('show metrics to those who may read', async ({ api }) => {
    const { headers, body } = await api.call('GET', '/metrics')

    expect(headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(body).toBe('millrace_build_info{version="1.2.3"} 1\n')
  })

  test('render the reference without another host', async ({ api }) => {
    const page = await api.call('GET', '/docs', undefined, { token: null })
    const links = [...(page.body as string).matchAll(/(?:src|href)="([^"]+)"/g)].map(
      ([, url]) => url!,
    )

    const policy = page.headers.get('content-security-policy')
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toMatch(/https?:|\*/)
    const files = links.filter((url) => url !== 'data:,')
    expect(files).toHaveLength(3)
    for (const file of files) {
      const { status } = await api.call('GET', file, undefined, { token: null })
      expect([file, status]).toEqual([file, 200])
    }
    expect((await api.call('GET', '/docs/start.js')).body).toContain('validatorUrl: null')
  })
})
