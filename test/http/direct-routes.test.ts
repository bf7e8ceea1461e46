import { request, type IncomingHttpHeaders } from 'node:http'

import { describe, expect } from 'vitest'

import { HttpServer } from '../../src/http/server.ts'
import { test as base } from '../support/database.ts'
import { givenConsumer, givenSource, orders, type GivenSource } from '../support/given.ts'
import { startProcess } from '../support/queues.ts'
import { ADMIN_TOKEN, makeApi } from './api.ts'

interface Ways {
  /** Ports of two servers of the same queues. */
  direct: number
  throughHono: number
  source: GivenSource
}

interface Asked {
  method?: string
  path?: string
  headers?: Record<string, string>
  body?: string
}

interface Answered {
  status: number | undefined
  headers: IncomingHttpHeaders
  body: string
}

const JSON_TYPE = { 'content-type': 'application/json' }
const TOKEN = { authorization: `Bearer ${ADMIN_TOKEN}` }
const RECEIVE = '/v1/consumers/inventory/receive'
const ACK = '/v1/consumers/inventory/ack'

/** One queue, reached both ways: straight from Node's server, and through Hono. */
const test = base.extend<{ ways: Ways }>({
  ways: async ({ storage }, use) => {
    const source = await givenSource(storage)
    await givenConsumer(storage, source.sourceNo, { name: 'inventory' })
    const process = await startProcess(storage)
    const { queues } = process
    const { app, direct } = makeApi(storage, queues)
    const servers = [
      new HttpServer({ app, direct, host: '127.0.0.1', port: 0 }),
      new HttpServer({ app, host: '127.0.0.1', port: 0 }),
    ] as const
    const [one, two] = await Promise.all(servers.map((server) => server.start()))
    await use({ direct: one!.port, throughHono: two!.port, source })
    queues.drain()
    await Promise.all(servers.map((server) => server.stop({ graceMs: 0 })))
    await process.stop()
  },
})

function ask(port: number, asked: Asked): Promise<Answered> {
  const { method = 'POST', path = RECEIVE, headers = { ...TOKEN, ...JSON_TYPE }, body } = asked
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: '127.0.0.1', method, path, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () =>
        resolve({ status: response.statusCode, headers: response.headers, body: text }),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** What differs from one request to the next says nothing about the way it took. */
function comparable({ status, headers, body }: Answered): unknown {
  const { date: _date, 'x-request-id': requestId, 'content-length': _length, ...rest } = headers
  return { status, headers: rest, body: body.replaceAll(String(requestId), '(id)') }
}

const chunked = { ...TOKEN, ...JSON_TYPE, 'transfer-encoding': 'chunked' }
const ASKED: Record<string, Asked> = {
  'without a token': { headers: JSON_TYPE, body: '{}' },
  'with a token that is unknown': {
    headers: { ...JSON_TYPE, authorization: 'Bearer mr_no' },
    body: '{}',
  },
  'of a consumer that is unknown': { path: '/v1/consumers/nobody/receive', body: '{}' },
  'of a consumer with an impossible name': { path: '/v1/consumers/a%20b/receive', body: '{}' },
  'of a consumer with its name in escapes': {
    path: '/v1/consumers/%69nventory/receive',
    body: '{"wait_for":0}',
  },
  'of no consumer': { path: '/v1/consumers//receive', body: '{}' },
  'with a query': { path: `${RECEIVE}?a=1`, body: '{"wait_for":0}' },
  'with a slash at the end': { path: `${RECEIVE}/`, body: '{}' },
  'with another method': { method: 'GET' },
  'of an unknown verb': { path: '/v1/consumers/inventory/reject', body: '{}' },
  'that is no JSON': { body: '{"batch_size": 1,}' },
  'that is an array': { body: '[]' },
  'with a NUL in a text': { body: '{"worker":"\\u0000"}' },
  'with an unknown member': { body: '{"batch":1}' },
  'with a member beyond ASCII': { body: '{"Küche 😀":1}' },
  'for no message': { body: '{"batch_size":0}' },
  'for too many messages': { body: '{"batch_size":100000}' },
  'without a body, where there may be none': { body: '' },
  'without a body, where there must be one': { path: ACK, body: '' },
  'without a content type': { headers: TOKEN, body: '{"wait_for":0}' },
  'with another content type': {
    headers: { ...TOKEN, 'content-type': 'text/plain' },
    body: '{"wait_for":0}',
  },
  'with a charset': {
    headers: { ...TOKEN, 'content-type': 'application/json; charset=utf-8' },
    body: '{"wait_for":0}',
  },
  'in chunks': { headers: chunked, body: '{"wait_for":0}' },
  'that is too large': { body: JSON.stringify({ worker: 'x'.repeat(300_000) }) },
  'that is too large, in chunks': {
    headers: chunked,
    body: JSON.stringify({ worker: 'x'.repeat(300_000) }),
  },
  'that waits for leave to send': {
    headers: { ...TOKEN, ...JSON_TYPE, expect: '100-continue' },
    body: '{"wait_for":0}',
  },
  'with ids of nonsense': { path: ACK, body: '{"ack_ids":["nonsense"]}' },
  'with ids of another consumer': { path: ACK, body: '{"ack_ids":["a-zz-2s-k3x9f2-0-1z4"]}' },
  'with a cookie for a token': { headers: { ...JSON_TYPE, cookie: 'millrace_session=x' } },
}

describe('a call of the queue', () => {
  test.for(Object.keys(ASKED))('%s is answered alike both ways', async (name, { ways }) => {
    // Without a body and with the usual wait nothing would come for 20 s.
    if (name === 'without a body, where there may be none') {
      await ways.source.append(orders(20))
    }
    const [direct, throughHono] = [
      await ask(ways.direct, ASKED[name]!),
      await ask(ways.throughHono, ASKED[name]!),
    ]
    if (direct.status === 200 && direct.body.includes('"ack_id"')) {
      const read = ({ body }: Answered): number => JSON.parse(body).data.length
      expect([read(direct), read(throughHono)]).toEqual([10, 10])
      return
    }
    expect(comparable(direct)).toEqual(comparable(throughHono))
  })

  test('acked one way is acked the other', async ({ ways }) => {
    await ways.source.append(orders(1))
    const answer = await ask(ways.direct, { body: '{"batch_size":1,"worker":"Küche 😀"}' })
    expect(answer.status).toBe(200)
    const [message] = JSON.parse(answer.body).data
    const acked = await ask(ways.direct, {
      path: ACK,
      body: JSON.stringify({ ack_ids: [message.ack_id] }),
    })
    expect(JSON.parse(acked.body)).toMatchObject({ success: true, counts: { acked: 1 } })
    const again = await ask(ways.throughHono, {
      path: ACK,
      body: JSON.stringify({ ack_ids: [message.ack_id] }),
    })
    expect(JSON.parse(again.body)).toMatchObject({ success: true, counts: { already_acked: 1 } })
  })
})
