import { describe, expect } from 'vitest'

import { givenConsumer, givenSource, orders, type GivenSource } from '../support/given.ts'
import { makeApi, test as base } from './api.ts'
import { makeConsumer, makeFakeQueues, makeReceived } from './fake-queues.ts'

const test = base.extend<{ source: GivenSource }>({
  source: async ({ storage }, use) => {
    const source = await givenSource(storage)
    await givenConsumer(storage, source.sourceNo)
    await use(source)
  },
})

interface Body {
  data: { ack_id: string; data: { record: { id: number | string } } }[]
}
const idsOf = (body: Body) => body.data.map(({ ack_id }) => ack_id)
const rowsOf = (body: Body) => body.data.map(({ data }) => data.record.id)

describe.each(['http_pull_consumers', 'sequin_streams'])('a client of Sequin at %s', (kind) => {
  const at = (verb: string) => `/api/${kind}/inventory/${verb}`

  test('receives one message by default, in Sequin’s shape', async ({ api, source }) => {
    // A group that looks like the part that is cut off.
    await source.append([{ id: '","delivery":{' }, { id: 2 }])

    const { status, headers, body } = await api.call('POST', at('receive'))

    expect(status).toBe(200)
    expect(headers.get('cache-control')).toBe('no-store')
    expect(body).toEqual({
      data: [
        {
          ack_id: expect.any(String),
          data: {
            record: { id: '","delivery":{' },
            changes: null,
            action: 'insert',
            metadata: expect.objectContaining({
              table_schema: 'public',
              table_name: 'orders',
              commit_lsn: 100,
              consumer: expect.objectContaining({ name: 'inventory' }),
            }),
          },
        },
      ],
    })
  })

  test('receives by GET, with its parameters as texts', async ({ api, source }) => {
    await source.append(orders(5))

    const { body } = await api.call('GET', `${at('receive')}?batch_size=2&wait_for=100`)
    const more = await api.call('GET', `${at('receive')}?max_batch_size=3&batch_size=1`)

    expect([rowsOf(body), rowsOf(more.body)]).toEqual([
      [1, 2],
      [3, 4, 5],
    ])
  })

  test('acks, and may do so twice', async ({ api, source }) => {
    await source.append(orders(2))
    const { body } = await api.call('POST', at('receive'), { batch_size: 10 })
    const ack_ids = idsOf(body)

    const first = await api.call('POST', at('ack'), { ack_ids: [...ack_ids, ...ack_ids] })
    const second = await api.call('POST', at('ack'), { ack_ids })

    expect([first.status, first.body]).toEqual([200, { success: true }])
    expect([second.status, second.body]).toEqual([200, { success: true }])
    const { body: stats } = await api.call('GET', '/v1/consumers/inventory/stats')
    expect(stats).toMatchObject({ backlog: 0, leased: 0, retrying: 0 })
  })

  test('nacks, and gets the message again at once with another ack_id', async ({ api, source }) => {
    await source.append(orders(1))
    const { body } = await api.call('POST', at('receive'))

    const nacked = await api.call('POST', at('nack'), { ack_ids: idsOf(body) })
    const again = await api.call('POST', at('receive'))

    expect(nacked.body).toEqual({ success: true })
    expect(rowsOf(again.body)).toEqual([1])
    expect(idsOf(again.body)).not.toEqual(idsOf(body))
    const late = await api.call('POST', at('ack'), { ack_ids: idsOf(body) })
    expect([late.status, late.body]).toEqual([200, { success: true, lease_lost: idsOf(body) }])
  })

  test.for([
    ['receive', { batch_size: 1001 }, 422, '/batch_size'],
    ['receive', { wait_for: 300_001 }, 422, '/wait_for'],
    ['ack', {}, 422, '/ack_ids'],
    ['nack', { ack_ids: ['nonsense'] }, 400, '/ack_ids/0'],
  ] as const)(
    'is refused a %s of %j with a summary',
    async ([verb, request, status, pointer], { api, source }) => {
      await source.append(orders(1))

      const answer = await api.call('POST', at(verb), request)

      expect(answer.status).toBe(status)
      expect(answer.body).toMatchObject({
        summary: expect.stringMatching(/./),
        errors: [{ pointer }],
      })
      expect(rowsOf((await api.call('POST', at('receive'))).body)).toEqual([1])
    },
  )

  test('learns what is wrong with its token or its consumer from a summary', async ({
    api,
    source,
  }) => {
    await source.append(orders(1))

    const stranger = await api.call('POST', at('receive'), {}, { token: 'nonsense' })
    const nobody = await api.call('POST', at('receive').replace('inventory', 'nobody'), {})

    expect([stranger.status, nobody.status]).toEqual([401, 404])
    expect(stranger.body.summary).toMatch(/token/)
    expect(nobody.body.summary).toBe('There is no consumer "nobody".')
  })
})

test('waits do not outlast those of /v1, and default to none', async ({ storage }) => {
  const waits: number[] = []
  const queues = makeFakeQueues(async ({ waitMs }) => {
    waits.push(waitMs)
    return makeReceived(0, 0, () => {})
  })
  const { call } = makeApi(storage, queues)

  for (const wait_for of [undefined, 500, '20s', 120_000]) {
    await call('POST', '/api/http_pull_consumers/inventory/receive', { wait_for })
  }

  expect(waits).toEqual([0, 500, 20_000, 55_000])
})

test('a consumer that is pushed is refused', async ({ storage }) => {
  const queues = makeFakeQueues(
    async () => makeReceived(1, 1, () => {}),
    makeConsumer({ mode: 'push' }),
  )

  const { status, body } = await makeApi(storage, queues).call(
    'GET',
    '/api/sequin_streams/inventory/receive',
  )

  expect([status, body.code]).toEqual([409, 'consumer_is_push'])
})
