import { randomBytes } from 'node:crypto'

import { describe, expect } from 'vitest'

import { verify } from '../../sdk/src/index.ts'
import { createAddressGuard } from '../../src/push/address-guard.ts'
import { startReceiver, type Receiver } from '../push/support/receiver.ts'
import { givenSource } from '../support/given.ts'
import { makeApi, test as base, type Api } from './api.ts'

const PATH = '/v1/consumers/shipping'

const test = base.extend<{
  /** Makes the consumer, with a webhook that does what `answer` does. */
  givenWebhook: (
    answer: Parameters<typeof startReceiver>[0],
    push?: object,
  ) => Promise<Receiver & { secret: string }>
}>({
  givenWebhook: async ({ storage, api }, use) => {
    const receivers: Receiver[] = []
    await givenSource(storage)
    await use(async (answer, push = {}) => {
      const receiver = await startReceiver(answer)
      receivers.push(receiver)
      return { ...receiver, secret: await putWebhook(api, { url: receiver.url, ...push }) }
    })
    await Promise.all(receivers.map((receiver) => receiver.close()))
  },
})

async function putWebhook(api: Api, push: object): Promise<string> {
  const { status, body } = await api.call('PUT', PATH, {
    source: 'shop',
    tables: ['public.orders'],
    mode: 'push',
    push,
  })
  expect(status).toBeLessThan(300)
  return body.push_secret as string
}

describe('a test of a webhook', () => {
  test('sends one signed sample, and answers with what came back', async ({
    api,
    givenWebhook,
  }) => {
    const receiver = await givenWebhook((response) => response.writeHead(202).end('thank you'), {
      headers: { 'x-tenant': 'acme' },
    })

    const { status, body } = await api.call('POST', `${PATH}/push/test`)

    expect(status).toBe(200)
    expect(body).toEqual({
      success: true,
      status: 202,
      latency_ms: expect.any(Number),
      answer: 'thank you',
      failure: null,
    })
    const [request, ...more] = receiver.requests
    expect(more).toEqual([])
    expect(request!.headers).toMatchObject({ 'x-tenant': 'acme', 'user-agent': 'Millrace/1.2.3' })
    const { messages } = await verify(request!.body, request!.headers, receiver.secret)
    expect(messages).toMatchObject([{ metadata: { test: true, consumer: { name: 'shipping' } } }])
  })

  test('shows the beginning of a long refusal', async ({ api, givenWebhook }) => {
    await givenWebhook((response) => response.writeHead(500).end('no'.repeat(50_000)))

    const { body } = await api.call('POST', `${PATH}/push/test`)

    expect(body).toMatchObject({ success: false, status: 500, failure: { kind: 'status' } })
    expect(body.answer).toBe('no'.repeat(1024))
    expect(body.failure.message).toMatch(/^answered 500: nono/)
  })

  test('tells of an endpoint that does not answer in time', async ({ api, givenWebhook }) => {
    await givenWebhook(() => {}, { timeout_ms: 100 })

    const { body } = await api.call('POST', `${PATH}/push/test`)

    expect(body).toMatchObject({ status: null, failure: { kind: 'timeout' } })
    expect(body.latency_ms).toBeGreaterThanOrEqual(99)
  })

  test.for([
    ['an address that is refused', 'https://169.254.169.254/latest', 'blocked', /metadata/],
    ['plain http to the public', 'http://192.0.2.1/', 'blocked', /documentation/],
    ['a name that does not exist', 'https://nowhere.invalid/', 'dns', /nowhere\.invalid/],
    ['a port where nobody listens', 'http://127.0.0.1:1/', 'connect', /REFUSED/],
  ] as const)('tells of %s', async ([, url, kind, message], { storage, api }) => {
    await givenSource(storage)
    await putWebhook(api, { url })

    const { status, body } = await api.call('POST', `${PATH}/push/test`)

    expect([status, body.success, body.status, body.answer]).toEqual([200, false, null, null])
    expect(body.failure).toEqual({ kind, message: expect.stringMatching(message) })
  })

  test('goes where the operator allows it, and nowhere else', async ({
    storage,
    api,
    givenWebhook,
  }) => {
    const secretKey = randomBytes(32)
    const closed = makeApi(storage, api.queues, { secretKey, pushGuard: createAddressGuard() })
    const receiver = await givenWebhook((response) => response.end())
    await api.call('DELETE', PATH)
    await putWebhook(closed, { url: receiver.url })

    const { body } = await closed.call('POST', `${PATH}/push/test`)

    expect(body).toMatchObject({ success: false, failure: { kind: 'blocked' } })
    expect(receiver.connectionCount()).toBe(0)
  })

  test('leaves the queue alone', async ({ storage, api, givenWebhook }) => {
    await givenWebhook((response) => response.writeHead(500).end())

    await api.call('POST', `${PATH}/push/test`)

    const { rows } = await storage.pool.query('select from millrace.delivery')
    const { body } = await api.call('GET', `${PATH}/stats`)
    expect([rows.length, body.retrying, body.leased]).toEqual([0, 0, 0])
  })

  test('needs a webhook', async ({ storage, api }) => {
    await givenSource(storage)
    await api.call('PUT', PATH, { source: 'shop', tables: ['*'] })

    const none = await api.call('POST', `${PATH}/push/test`)
    const nobody = await api.call('POST', '/v1/consumers/nobody/push/test')

    expect([none.status, none.body.code]).toEqual([409, 'conflict'])
    expect(nobody.status).toBe(404)
  })
})

describe('a test of a webhook that no consumer has yet', () => {
  test('sends one signed sample with its headers, and leaves nothing behind', async ({
    storage,
    api,
    givenWebhook,
  }) => {
    const receiver = await givenWebhook((response) => response.writeHead(401).end('who?'))
    await api.call('DELETE', PATH)

    const { status, body } = await api.call('POST', '/v1/push/test', {
      push: { url: receiver.url, headers: { 'x-tenant': 'acme' }, batch_size: 10 },
    })

    expect([status, body.success, body.status, body.answer]).toEqual([200, false, 401, 'who?'])
    const [request, ...more] = receiver.requests
    expect(more).toEqual([])
    expect(request!.headers).toMatchObject({
      'x-tenant': 'acme',
      'webhook-signature': expect.stringMatching(/^v1,/),
    })
    expect(JSON.parse(request!.body)).toMatchObject({
      data: [{ metadata: { test: true } }],
    })
    const { rows } = await storage.pool.query('select from millrace.consumer')
    expect(rows).toEqual([])
  })

  test('goes nowhere that the operator does not allow', async ({ api }) => {
    const { status, body } = await api.call('POST', '/v1/push/test', {
      push: { url: 'https://169.254.169.254/latest' },
    })

    expect(status).toBe(200)
    expect(body).toMatchObject({ success: false, failure: { kind: 'blocked' } })
  })
})

describe('a secret that was rotated', () => {
  test('signs beside the one before it, for a day', async ({ storage, api, givenWebhook }) => {
    const receiver = await givenWebhook((response) => response.end())
    const begun = Date.now()

    const { body: rotated } = await api.call('POST', `${PATH}/push/rotate_secret`)
    await api.call('POST', `${PATH}/push/test`)

    const DAY_MS = 24 * 3_600_000
    const until = Date.parse(rotated.previous_expires_at)
    expect(until).toBeGreaterThanOrEqual(begun + DAY_MS)
    expect(until).toBeLessThanOrEqual(Date.now() + DAY_MS)
    const [request] = receiver.requests
    for (const secret of [receiver.secret, rotated.push_secret as string]) {
      await expect(verify(request!.body, request!.headers, secret)).resolves.toBeDefined()
    }
    const shown = await api.call('GET', PATH)
    expect(JSON.stringify(shown.body)).not.toContain('whsec')
    const { rows } = await storage.pool.query('select push_sealed from millrace.consumer')
    expect(rows[0].push_sealed.toString('latin1')).not.toContain('whsec')
  })

  test('twice within the day leaves two that sign', async ({ api, givenWebhook }) => {
    const receiver = await givenWebhook((response) => response.end())
    const { body: second } = await api.call('POST', `${PATH}/push/rotate_secret`)
    const { body: third } = await api.call('POST', `${PATH}/push/rotate_secret`)

    await api.call('POST', `${PATH}/push/test`)

    const [request] = receiver.requests
    expect(String(request!.headers['webhook-signature']).split(' ')).toHaveLength(2)
    for (const { push_secret: secret } of [second, third]) {
      await expect(verify(request!.body, request!.headers, secret)).resolves.toBeDefined()
    }
    await expect(verify(request!.body, request!.headers, receiver.secret)).rejects.toThrow(
      'no signature',
    )
  })
})
