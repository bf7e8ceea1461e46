import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'

import { verify } from '../../sdk/src/verify.ts'

const SECRET = `whsec_${Buffer.from('a secret of twenty-four.').toString('base64')}`
const OTHER = `whsec_${Buffer.from('another one, just as long').toString('base64')}`

const BODY = JSON.stringify({
  record: { id: 1, note: 'grün' },
  changes: null,
  action: 'insert',
  metadata: {},
  delivery: { attempt: 2, group: null },
}).replace('"id":1', '"id":9223372036854775807')

function signedHeaders(body = BODY, { secret = SECRET, at = new Date() } = {}) {
  const signature = new Webhook(secret).sign('msg_1', at, body)
  return {
    'Webhook-Id': 'msg_1',
    'Webhook-Timestamp': String(Math.floor(at.getTime() / 1000)),
    'Webhook-Signature': signature,
    'Millrace-Attempt': '2',
  }
}

describe('verify', () => {
  test('answers the message of a request signed by the Standard Webhooks package', async () => {
    const push = await verify(BODY, signedHeaders(), SECRET)

    expect(push).toMatchObject({ id: 'msg_1', attempt: 2 })
    expect(push.messages).toMatchObject([
      { action: 'insert', record: { id: 9223372036854775807n, note: 'grün' } },
    ])
  })

  test('takes bytes and a Headers object, and all messages of a batch', async () => {
    const batch = `{"data":[${BODY},${BODY}]}`
    const push = await verify(Buffer.from(batch), new Headers(signedHeaders(batch)), [SECRET])

    expect(push.messages).toHaveLength(2)
  })

  test('accepts any of several secrets, and any of several signatures', async () => {
    const headers = signedHeaders()
    const both = {
      ...headers,
      'Webhook-Signature': `v1a,AAAA v1,nonsense!! ${signedHeaders(BODY, { secret: OTHER })['Webhook-Signature']} ${headers['Webhook-Signature']}`,
    }

    await expect(verify(BODY, headers, [OTHER, SECRET])).resolves.toMatchObject({ id: 'msg_1' })
    await expect(verify(BODY, both, SECRET)).resolves.toMatchObject({ id: 'msg_1' })
  })

  test('refuses a changed body, id, or time', async () => {
    const headers = signedHeaders()
    const refused = { name: 'WebhookVerificationError', code: 'no_matching_signature' }
    const later = String(Number(headers['Webhook-Timestamp']) + 1)

    await expect(verify(`${BODY} `, headers, SECRET)).rejects.toMatchObject(refused)
    await expect(verify(BODY, { ...headers, 'Webhook-Id': 'x' }, SECRET)).rejects.toMatchObject(
      refused,
    )
    await expect(
      verify(BODY, { ...headers, 'Webhook-Timestamp': later }, SECRET),
    ).rejects.toMatchObject(refused)
    await expect(verify(BODY, headers, OTHER)).rejects.toMatchObject(refused)
  })

  test.each([-301_000, 302_000])('refuses a request %i ms away', async (ms) => {
    const headers = signedHeaders(BODY, { at: new Date(Date.now() + ms) })

    await expect(verify(BODY, headers, SECRET)).rejects.toMatchObject({
      code: 'timestamp_out_of_tolerance',
    })
    await expect(verify(BODY, headers, SECRET, { toleranceMs: 400_000 })).resolves.toBeDefined()
  })

  test('says which header is missing', async () => {
    const { 'Webhook-Signature': _, ...headers } = signedHeaders()

    await expect(verify(BODY, headers, SECRET)).rejects.toMatchObject({
      code: 'missing_header',
      message: 'the request has no webhook-signature',
    })
  })

  test('tells a time that is none, and a signed body that is no message', async () => {
    const headers = { ...signedHeaders(), 'Webhook-Timestamp': 'noon' }

    await expect(verify(BODY, headers, SECRET)).rejects.toMatchObject({
      code: 'malformed_timestamp',
    })
    await expect(verify('nothing', signedHeaders('nothing'), SECRET)).rejects.toMatchObject({
      code: 'malformed_body',
    })
  })

  test('throws a TypeError for a secret that is none', async () => {
    await expect(verify(BODY, signedHeaders(), 'whsec_###')).rejects.toThrow(TypeError)
    await expect(verify(BODY, signedHeaders(), [])).rejects.toThrow(TypeError)
  })
})
