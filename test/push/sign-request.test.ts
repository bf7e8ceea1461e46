import { createHmac } from 'node:crypto'

import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'

import { verify } from '../../sdk/src/index.ts'
import {
  createPushSecrets,
  openPushSecrets,
  rotatePushSecret,
  sealPushSecrets,
} from '../../src/push/push-secrets.ts'
import { batchId, signRequest } from '../../src/push/sign-request.ts'

const HOUR_MS = 3_600_000
const TEXT = '{"record":{"id":1,"name":"Zoë ☕"}}'
const BODY = Buffer.from(TEXT)

function sign(secrets = createPushSecrets(), now = new Date()): Record<string, string> {
  const { headers, body } = signRequest(TEXT, {
    secrets,
    id: 'message-1',
    attempt: 3,
    nowMs: now.getTime(),
    userAgent: 'Millrace/1',
  })
  expect(body).toEqual(BODY)
  return headers
}

describe('a request', () => {
  test('is verified by the package of Standard Webhooks', () => {
    const secrets = createPushSecrets()
    const verified = new Webhook(secrets.secrets[0]!.secret).verify(BODY, sign(secrets))
    expect(verified).toEqual({ record: { id: 1, name: 'Zoë ☕' } })
  })

  test('is verified by the SDK, and by nobody with another secret', async () => {
    const secrets = createPushSecrets()
    const headers = sign(secrets)
    const verified = await verify(BODY, headers, secrets.secrets[0]!.secret)
    expect(verified).toMatchObject({ id: 'message-1', attempt: 3 })
    const other = createPushSecrets().secrets[0]!.secret
    await expect(verify(BODY, headers, other)).rejects.toMatchObject({
      code: 'no_matching_signature',
    })
  })

  test.for([1, 24, 63, 64, 65, 200])('is signed with a key of %i bytes', (length) => {
    const key = Buffer.alloc(length, 7).toString('base64')
    const headers = sign({ headers: {}, secrets: [{ secret: `whsec_${key}`, expiresAt: null }] })
    const signed = createHmac('sha256', Buffer.alloc(length, 7))
      .update(`message-1.${headers['webhook-timestamp']}.`)
      .update(BODY)
    expect(headers['webhook-signature']).toBe(`v1,${signed.digest('base64')}`)
  })

  test('carries the headers of the consumer, which cannot replace the signed ones', () => {
    const headers = sign(createPushSecrets({ authorization: 'Bearer x', 'webhook-id': 'forged' }))
    expect(headers).toMatchObject({
      authorization: 'Bearer x',
      'webhook-id': 'message-1',
      'content-type': 'application/json',
      'user-agent': 'Millrace/1',
      'millrace-attempt': '3',
    })
  })

  test('has no signature where the consumer has no secret', () => {
    expect(sign({ headers: {}, secrets: [] })).not.toHaveProperty('webhook-signature')
  })
})

describe('rotation', () => {
  test('signs with both secrets for a day, the new one first, then with the new one', () => {
    const before = createPushSecrets()
    const now = new Date()
    const after = rotatePushSecret(before, { now })
    const [current, previous] = after.secrets
    expect(previous!.secret).toBe(before.secrets[0]!.secret)

    const headers = sign(after, now)
    expect(headers['webhook-signature']!.split(' ')).toHaveLength(2)
    for (const { secret } of [current!, previous!]) {
      expect(() => new Webhook(secret).verify(BODY, headers)).not.toThrow()
    }
    const lastMoment = new Date(now.getTime() + 24 * HOUR_MS - 1)
    expect(sign(after, lastMoment)['webhook-signature']!.split(' ')).toHaveLength(2)
    const later = new Date(now.getTime() + 24 * HOUR_MS)
    expect(sign(after, later)['webhook-signature']!.split(' ')).toHaveLength(1)
  })

  test('keeps one predecessor, and does not lengthen its life', () => {
    const now = new Date()
    const first = createPushSecrets()
    const second = rotatePushSecret(first, { now, overlapMs: HOUR_MS })
    const third = rotatePushSecret(second, { now: new Date(now.getTime() + 60_000) })
    expect(third.secrets).toHaveLength(2)
    expect(third.secrets[1]!.secret).toBe(second.secrets[0]!.secret)
    expect(third.secrets.map(({ secret }) => secret)).not.toContain(first.secrets[0]!.secret)
  })
})

test('secrets survive sealing', () => {
  const secrets = rotatePushSecret(createPushSecrets({ 'x-key': 'v' }))
  const sealed = sealPushSecrets(secrets, (text) => Buffer.from(text))
  expect(openPushSecrets(sealed, (bytes) => bytes.toString())).toEqual(secrets)
})

test('a batch has the same id whenever it holds the same messages in the same order', () => {
  expect(batchId(['a', 'b'])).toBe(batchId(['a', 'b']))
  expect(batchId(['a', 'b'])).not.toBe(batchId(['b', 'a']))
  expect(batchId(['a', 'b'])).not.toBe(batchId(['ab']))
})
