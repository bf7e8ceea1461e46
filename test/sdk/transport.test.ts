import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { createClient } from '../../sdk/src/client.ts'
import type { ClientOptions } from '../../sdk/src/http.ts'

type Answer = Response | Error | 'never'

const EMPTY = { data: [], meta: { limited_by: null } }

function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json', ...headers },
  })
}

function problem(status: number, code: string, headers: Record<string, string> = {}): Response {
  const body = { type: 't', title: 'No', status, code, detail: 'no, because', request_id: 'req_1' }
  return json(body, status, { ...headers, 'content-type': 'application/problem+json' })
}

/** A client whose requests are answered in turn; the last answer counts for all that follow. */
function clientAnswering(answers: Answer[], options: Partial<ClientOptions> = {}) {
  const requests: { url: string; init: RequestInit & { body: string } }[] = []
  const client = createClient({
    baseUrl: 'http://millrace.test/base/',
    token: 'mr_1_secret',
    ...options,
    fetch: async (url, init) => {
      requests.push({ url, init: init as RequestInit & { body: string } })
      const answer = answers.length > 1 ? answers.shift() : answers[0]
      if (answer instanceof Error) throw answer
      if (answer instanceof Response) return answer.clone()
      return new Promise((_, reject) => {
        init.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error))
      })
    },
  })
  return { client, requests }
}

/** Settles the call while the clock runs as fast as it is waited for. */
async function settle<T>(call: Promise<T>): Promise<PromiseSettledResult<T>> {
  const settled = Promise.allSettled([call])
  await vi.runAllTimersAsync()
  return (await settled)[0]
}

describe('a request', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
    vi.spyOn(Math, 'random').mockReturnValue(0.5)
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.restoreAllMocks()
  })

  test('carries the token, and arguments under the names of the API', async () => {
    const { client, requests } = clientAnswering([json(EMPTY)])

    await client.receive('inventory', { batchSize: 5, waitFor: '1s', worker: 'w' })

    expect(requests[0]?.url).toBe('http://millrace.test/base/v1/consumers/inventory/receive')
    expect(JSON.parse(requests[0]?.init.body ?? '')).toEqual({
      batch_size: 5,
      wait_for: '1s',
      worker: 'w',
    })
    const headers = new Headers(requests[0]?.init.headers)
    expect(headers.get('authorization')).toBe('Bearer mr_1_secret')
    expect(headers.get('content-type')).toBe('application/json')
  })

  test('asks a token function before every attempt', async () => {
    let count = 0
    const { client, requests } = clientAnswering([problem(503, 'draining'), json(EMPTY)], {
      token: () => `t${++count}`,
    })

    await settle(client.receive('c'))

    expect(requests.map(({ init }) => new Headers(init.headers).get('authorization'))).toEqual([
      'Bearer t1',
      'Bearer t2',
    ])
  })

  test('keeps every digit of its answer', async () => {
    const answer = new Response('{"data":[{"record":{"id":9223372036854775807}}],"meta":{}}', {
      headers: { 'content-type': 'application/json' },
    })

    const { data } = await clientAnswering([answer]).client.receive('c')

    expect(data[0]?.record).toEqual({ id: 9223372036854775807n })
  })

  test.each([
    [401, 'AuthError'],
    [403, 'AuthError'],
    [404, 'NotFoundError'],
    [409, 'ConflictError'],
    [400, 'ValidationError'],
    [413, 'ValidationError'],
    [415, 'ValidationError'],
    [422, 'ValidationError'],
    [500, 'ApiError'],
  ])('is not sent again after %i, but throws %s', async (status, name) => {
    const { client, requests } = clientAnswering([problem(status, 'some_code')])

    await expect(client.ack('c', ['a'])).rejects.toMatchObject({
      name,
      status,
      code: 'some_code',
      requestId: 'req_1',
      message: 'no, because',
    })
    expect(requests).toHaveLength(1)
  })

  test.each([408, 429, 502, 503, 504])('is sent again after %i', async (status) => {
    const { client, requests } = clientAnswering([problem(status, 'x'), json(EMPTY)])

    const settled = await settle(client.receive('c'))

    expect(settled).toMatchObject({ status: 'fulfilled' })
    expect(requests).toHaveLength(2)
    expect(requests[0]?.init.body).toBe(requests[1]?.init.body)
  })

  test('is sent four times at most, after waits that double', async () => {
    const { client, requests } = clientAnswering([new TypeError('fetch failed')])
    const start = performance.now()

    const settled = await settle(client.receive('c'))

    expect(settled).toMatchObject({ status: 'rejected', reason: { name: 'NetworkError' } })
    expect(requests).toHaveLength(4)
    expect(performance.now() - start).toBe(100 + 200 + 400)
  })

  test('names what failed beneath fetch', async () => {
    const cause = Object.assign(new Error(''), { code: 'ECONNREFUSED' })
    const { client } = clientAnswering([new TypeError('fetch failed', { cause })], { retry: false })

    await expect(client.receive('c')).rejects.toThrow(/ECONNREFUSED/)
  })

  test.each([
    ['3', 3000],
    ['Thu, 01 Jan 2026 00:00:05 GMT', 5000],
  ])('waits as long as Retry-After: %s asks', async (value, ms) => {
    vi.setSystemTime('2026-01-01T00:00:00Z')
    const answers = [problem(429, 'too_many_waiters', { 'retry-after': value }), json(EMPTY)]
    const { client } = clientAnswering(answers)
    const start = performance.now()

    await settle(client.receive('c'))

    expect(performance.now() - start).toBe(ms + 100)
  })

  test('throws at once when Retry-After asks for longer than a minute', async () => {
    const { client, requests } = clientAnswering([
      problem(429, 'rate_limited', { 'retry-after': '61' }),
    ])

    await expect(client.receive('c')).rejects.toMatchObject({
      name: 'RateLimitError',
      retryAfterMs: 61_000,
    })
    expect(requests).toHaveLength(1)
  })

  test('ends with the reason of its signal, also while it waits for the next attempt', async () => {
    const { client, requests } = clientAnswering([problem(503, 'x')])
    const controller = new AbortController()
    const call = client.receive('c', { signal: controller.signal })
    const settled = Promise.allSettled([call])
    await vi.advanceTimersByTimeAsync(50)

    controller.abort(new Error('enough'))

    expect((await settled)[0]).toMatchObject({ reason: { message: 'enough' } })
    expect(requests).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('ends with the reason of its signal while it waits for the answer', async () => {
    const { client } = clientAnswering(['never'])
    const controller = new AbortController()
    const settled = Promise.allSettled([client.receive('c', { signal: controller.signal })])
    await vi.advanceTimersByTimeAsync(10)

    controller.abort(new Error('enough'))

    expect((await settled)[0]).toMatchObject({ reason: { message: 'enough' } })
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is given ten seconds more than it asks the server to wait', async () => {
    const { client } = clientAnswering(['never'], { retry: false })
    const start = performance.now()

    const settled = await settle(client.receive('c', { waitFor: '50s' }))

    expect(settled).toMatchObject({ reason: { name: 'TimeoutError', timeoutMs: 60_000 } })
    expect(performance.now() - start).toBe(60_000)
  })

  test('explains an answer that is no JSON', async () => {
    const page = new Response('<html>', { headers: { 'content-type': 'text/html' } })
    const { client } = clientAnswering([page])

    await expect(client.receive('c')).rejects.toMatchObject({ code: 'not_json', status: 200 })
  })

  test('makes do with a proxy that refuses without a problem', async () => {
    const page = new Response('<html>', { status: 403, headers: { 'x-request-id': 'req_9' } })
    const { client } = clientAnswering([page])

    await expect(client.receive('c')).rejects.toMatchObject({
      name: 'AuthError',
      code: 'http_403',
      requestId: 'req_9',
    })
  })
})

test('an address that is none is refused when the client is made', () => {
  expect(() => createClient({ baseUrl: 'localhost' })).toThrow(TypeError)
})

describe('a client that is told nothing', () => {
  afterEach(() => {
    vi.unstubAllEnvs()
  })

  const ask = async (options: ClientOptions = {}) => {
    const seen: (string | null)[] = []
    const client = createClient({
      ...options,
      fetch: (url, init) => {
        seen.push(url, new Headers(init.headers).get('authorization'))
        return json(EMPTY)
      },
    })
    await client.receive('c')
    return seen
  }

  test('takes address and token from the environment, and an address by default', async () => {
    vi.stubEnv('MILLRACE_URL', '')
    vi.stubEnv('MILLRACE_TOKEN', undefined)
    expect(await ask()).toEqual(['http://127.0.0.1:4400/v1/consumers/c/receive', null])

    vi.stubEnv('MILLRACE_URL', 'https://millrace.test')
    vi.stubEnv('MILLRACE_TOKEN', 'mr_env')
    expect(await ask()).toEqual(['https://millrace.test/v1/consumers/c/receive', 'Bearer mr_env'])
    expect(await ask({ baseUrl: 'http://other.test', token: 'mr_own' })).toEqual([
      'http://other.test/v1/consumers/c/receive',
      'Bearer mr_own',
    ])
  })

  test('does without an environment, or with one that it may not read', async () => {
    const hidden = new Proxy(
      {},
      {
        get: () => {
          throw new Error('NotCapable')
        },
      },
    )
    for (const process of [undefined, {}, { env: hidden }]) {
      vi.stubGlobal('process', process)
      const seen = await ask().finally(() => vi.unstubAllGlobals())
      expect(seen).toEqual(['http://127.0.0.1:4400/v1/consumers/c/receive', null])
    }
  })
})
