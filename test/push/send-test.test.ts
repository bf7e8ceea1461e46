import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'

import { Webhook } from 'standardwebhooks'
import { describe, expect, onTestFinished } from 'vitest'

import { createAddressGuard } from '../../src/push/address-guard.ts'
import { listPushConsumers, openSecrets } from '../../src/push/open-push-consumer.ts'
import { sendTest, type PushTestResult } from '../../src/push/send-test.ts'
import type { Database } from '../../src/storage/database.ts'
import { givenSource } from '../support/given.ts'
import { makeSelfSignedCertificate } from './support/certificate.ts'
import { givenPushConsumer, SECRET_KEY, test } from './support/given-push.ts'
import { messagesOf } from './support/receiver.ts'

async function testConsumer(storage: Database, allow = ['127.0.0.0/8']): Promise<PushTestResult> {
  const [stored] = await listPushConsumers(storage.db)
  const { consumer, push, sealed } = stored!
  return sendTest(consumer, push, {
    source: { id: randomUUID(), name: 'shop' },
    guard: createAddressGuard(allow),
    secrets: openSecrets(consumer, sealed, SECRET_KEY),
    userAgent: 'Millrace/test',
  })
}

describe('a test of the webhook', () => {
  test('sends a signed sample and tells of the answer', async ({ storage, givenReceiver }) => {
    const receiver = await givenReceiver((response) => response.writeHead(202).end('thank you'))
    const source = await givenSource(storage)
    const { secret } = await givenPushConsumer(storage, source.sourceNo, receiver.url)
    expect(await testConsumer(storage)).toEqual({
      success: true,
      status: 202,
      latencyMs: expect.any(Number),
      answer: 'thank you',
      failure: null,
    })
    const [request] = receiver.requests
    const headers = request!.headers as Record<string, string>
    expect(() => new Webhook(secret).verify(request!.body, headers)).not.toThrow()
    expect(messagesOf(request!)).toMatchObject([
      {
        action: 'insert',
        metadata: { test: true, database: { name: 'shop' }, consumer: { name: 'inventory' } },
      },
    ])
  })

  test('tells of a status that is no success', async ({ storage, givenReceiver }) => {
    const receiver = await givenReceiver((response) => response.writeHead(401).end('who are you?'))
    const source = await givenSource(storage)
    await givenPushConsumer(storage, source.sourceNo, receiver.url)
    expect(await testConsumer(storage)).toMatchObject({
      success: false,
      status: 401,
      answer: 'who are you?',
      failure: { kind: 'status', message: 'answered 401: who are you?' },
    })
  })

  test.for([
    ['http://127.0.0.1:1/', 'connect', ['127.0.0.0/8']],
    ['http://nowhere.invalid/', 'dns', []],
    ['http://127.0.0.1:1/', 'blocked', []],
    ['http://localhost:1/', 'blocked', []],
  ] as const)('to %s fails as %s', async ([url, kind, allow], { storage }) => {
    const source = await givenSource(storage)
    await givenPushConsumer(storage, source.sourceNo, url)
    expect(await testConsumer(storage, [...allow])).toMatchObject({
      success: false,
      status: null,
      failure: { kind },
    })
  })

  test('to a server with a certificate of its own making fails as tls', async ({ storage }) => {
    const server = createServer(makeSelfSignedCertificate(), (_request, response) => response.end())
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const source = await givenSource(storage)
    const { port } = server.address() as AddressInfo
    await givenPushConsumer(storage, source.sourceNo, `https://127.0.0.1:${port}/`)
    expect(await testConsumer(storage)).toMatchObject({ failure: { kind: 'tls' } })
  })

  test('of an endpoint that hangs ends with its timeout', async ({ storage, givenReceiver }) => {
    const receiver = await givenReceiver(() => {})
    const source = await givenSource(storage)
    await givenPushConsumer(storage, source.sourceNo, receiver.url, { push: { timeout_ms: 200 } })
    expect(await testConsumer(storage)).toMatchObject({ failure: { kind: 'timeout' } })
  })
})
