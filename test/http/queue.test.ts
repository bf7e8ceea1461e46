import { describe, expect } from 'vitest'

import { givenConsumer, givenSource, orders } from '../support/given.ts'
import { makeApi, test as base, type Api } from './api.ts'
import { makeConsumer, makeFakeQueues, makeReceived } from './fake-queues.ts'

interface Shop {
  append: (count: number, first?: number) => Promise<number>
  receive: (body?: object) => Promise<Awaited<ReturnType<Api['call']>>>
  settle: (verb: string, body: object) => Promise<Awaited<ReturnType<Api['call']>>>
}

const test = base.extend<{ shop_: Shop }>({
  shop_: async ({ storage, api }, use) => {
    const source = await givenSource(storage)
    await givenConsumer(storage, source.sourceNo)
    await use({
      append: (count, first) => source.append(orders(count, first)),
      receive: (body = {}) => api.call('POST', '/v1/consumers/inventory/receive', body),
      settle: (verb, body) => api.call('POST', `/v1/consumers/inventory/${verb}`, body),
    })
  },
})

const idsOf = (body: { data: { ack_id: string }[] }): string[] =>
  body.data.map(({ ack_id }) => ack_id)

describe('receive', () => {
  test('answers messages with what the contract names', async ({ shop_ }) => {
    await shop_.append(2)

    const { status, body } = await shop_.receive({ batch_size: 1 })

    expect(status).toBe(200)
    expect(body).toMatchObject({
      data: [
        {
          ack_id: expect.any(String),
          record: { id: 1 },
          changes: null,
          action: 'insert',
          metadata: { table_schema: 'public', table_name: 'orders', commit_idx: 1 },
          delivery: { attempt: 1, group: 'orders:1' },
        },
      ],
      meta: { limited_by: null },
    })
  })

  test('takes an empty body for the defaults', async ({ api, shop_ }) => {
    await shop_.append(25)

    const { body } = await api.call('POST', '/v1/consumers/inventory/receive')

    expect(body.data).toHaveLength(10)
  })

  test('finds the consumer by its id', async ({ storage, api, shop_ }) => {
    await shop_.append(1)
    const { rows } = await storage.pool.query('select id from millrace.consumer')

    const { body } = await api.call('POST', `/v1/consumers/${rows[0].id}/receive`, {})

    expect(body.data).toHaveLength(1)
  })

  test('waits no longer than it is told, in ms or in words', async ({ storage }) => {
    const waits: number[] = []
    const queues = makeFakeQueues(async (options) => {
      waits.push(options.waitMs)
      return makeReceived(0, 0, () => {})
    })
    const { call } = makeApi(storage, queues)

    for (const wait_for of [0, 1500, '500ms', '20s', undefined]) {
      await call('POST', '/v1/consumers/inventory/receive', { wait_for })
    }

    expect(waits).toEqual([0, 1500, 500, 20_000, 20_000])
  })

  test.for([
    [{ batch_size: 0 }, '/batch_size', 'must be at least 1'],
    [{ batch_size: 100_000 }, '/batch_size', 'must be at most 1000'],
    [{ batch_size: 1.5 }, '/batch_size', 'must be a whole number, not a number'],
    [{ batch_size: '10' }, '/batch_size', 'must be a number, not a string'],
    [{ batch_size: null }, '/batch_size', 'must be a number, not null'],
    [{ wait_for: '20 years' }, '/wait_for', 'must be a duration such as'],
    [{ wait_for: 55_001 }, '/wait_for', 'must be from 0 to 55s'],
    [{ wait_for: -1 }, '/wait_for', 'must be from 0 to 55s'],
    [{ wait_for: true }, '/wait_for', 'must be a duration: a whole number of ms, or a text'],
    [{ visibility_timeout_ms: 999 }, '/visibility_timeout_ms', 'must be at least 1000'],
    [{ max_bytes: 0 }, '/max_bytes', 'must be at least 1'],
    [{ 'batch/size': 1 }, '/batch~1size', 'is not a field of this call'],
    [[], '', 'must be an object, not an array'],
  ] as const)('refuses %j and leases nothing', async ([request, pointer, detail], { shop_ }) => {
    await shop_.append(1)

    const { status, body } = await shop_.receive(request)

    expect(status).toBe(422)
    expect(body.code).toBe('validation_failed')
    expect(body.errors).toEqual([{ pointer, detail: expect.stringContaining(detail) }])
    expect(await shop_.receive()).toMatchObject({ status: 200, body: { data: [{}] } })
  })

  test('refuses a consumer that is pushed', async ({ storage }) => {
    const consumer = makeConsumer({ mode: 'push' })
    const queues = makeFakeQueues(async () => makeReceived(1, 1, () => {}), consumer)

    const { status, body } = await makeApi(storage, queues).call(
      'POST',
      '/v1/consumers/inventory/receive',
      {},
    )

    expect([status, body.code]).toEqual([409, 'consumer_is_push'])
  })
})

describe('acks on the way to a receive', () => {
  test('are done first, in one tick with the next lease', async ({ storage, shop_ }) => {
    await shop_.append(3)
    const first = idsOf((await shop_.receive({ batch_size: 1 })).body)
    const versionOf = async (): Promise<number> =>
      Number((await storage.pool.query('select max(version) as v from millrace.tick')).rows[0].v)
    const before = await versionOf()

    const { status, body } = await shop_.receive({ ack_ids: first, batch_size: 1 })

    expect(status).toBe(200)
    expect(body.acks).toEqual({ success: true, lost: [] })
    expect(body.data).toMatchObject([{ record: { id: 2 } }])
    expect(await versionOf()).toBe(before + 1)
    const again = await shop_.settle('ack', { ack_ids: first })
    expect(again.body.results[0].status).toBe('already_acked')
  })

  test('free the group whose next message comes with the answer', async ({ storage, api }) => {
    const source = await givenSource(storage)
    await givenConsumer(storage, source.sourceNo)
    await source.append([{ id: 1 }])
    const receive = (body: object): ReturnType<Api['call']> =>
      api.call('POST', '/v1/consumers/inventory/receive', { wait_for: 0, ...body })
    const first = await receive({ wait_for: '20s' })
    await source.append([{ id: 1 }])
    expect((await receive({})).body.data).toEqual([])

    // That there is a change may be heard of a moment later.
    const { body } = await receive({ ack_ids: idsOf(first.body), wait_for: '20s' })

    expect(body.data).toMatchObject([{ record: { id: 1 }, delivery: { attempt: 1 } }])
  })

  test('say which were too late, and deliver all the same', async ({ shop_ }) => {
    await shop_.append(3)
    const [lost = '', good = ''] = idsOf((await shop_.receive({ batch_size: 2 })).body)
    await shop_.settle('nack', { ack_ids: [lost], delay: '1h' })

    const { status, body } = await shop_.receive({ ack_ids: [lost, good] })

    expect(status).toBe(200)
    expect(body.acks).toEqual({
      success: false,
      lost: [{ ack_id: lost, status: 'lease_lost', detail: expect.any(String) }],
    })
    expect(body.data).toMatchObject([{ record: { id: 3 } }])
  })

  test('are all refused for one that is nonsense, and nothing is leased', async ({ shop_ }) => {
    await shop_.append(2)
    const [good = ''] = idsOf((await shop_.receive({ batch_size: 1 })).body)

    const nonsense = await shop_.receive({ ack_ids: [good, 'nonsense'] })
    const twice = await shop_.receive({ ack_ids: [good, good] })

    expect([nonsense.status, nonsense.body.code]).toEqual([400, 'malformed_ack_id'])
    expect(nonsense.body.errors[0].pointer).toBe('/ack_ids/1')
    expect([twice.status, twice.body.code]).toEqual([422, 'validation_failed'])
    const { body } = await shop_.receive({ ack_ids: [good] })
    expect(body.acks.success).toBe(true)
    expect(body.data).toMatchObject([{ record: { id: 2 }, delivery: { attempt: 1 } }])
  })

  test('are done though nobody may wait any more', async ({ storage, api }) => {
    const source = await givenSource(storage)
    await givenConsumer(storage, source.sourceNo, { max_waiting: 1 })
    await source.append(orders(1))
    const receive = (body: object): ReturnType<Api['call']> =>
      api.call('POST', '/v1/consumers/inventory/receive', body)
    const ids = idsOf((await receive({})).body)
    const waiting = receive({ wait_for: '50s' })
    await expect
      .poll(async () => (await api.call('GET', '/v1/consumers/inventory/stats')).body.waiters)
      .toBe(1)

    const refused = await receive({ ack_ids: ids })

    expect([refused.status, refused.body.code]).toEqual([429, 'too_many_waiters'])
    const ack = await api.call('POST', '/v1/consumers/inventory/ack', { ack_ids: ids })
    expect(ack.body.results[0].status).toBe('already_acked')
    await source.append(orders(1, 2))
    expect((await waiting).body.data).toHaveLength(1)
  })
})

describe('settling', () => {
  test('acks, and says so again the second time', async ({ shop_ }) => {
    await shop_.append(2)
    const ack_ids = idsOf((await shop_.receive()).body)

    const first = await shop_.settle('ack', { ack_ids })
    const second = await shop_.settle('ack', { ack_ids })

    expect(first.status).toBe(200)
    expect(first.body).toEqual({
      success: true,
      results: ack_ids.map((ack_id) => ({ ack_id, status: 'acked' })),
      counts: { acked: 2 },
    })
    expect(second.status).toBe(200)
    expect(second.body.counts).toEqual({ already_acked: 2 })
  })

  test('answers 207 when a lease is lost, and does the rest', async ({ shop_ }) => {
    await shop_.append(2)
    const [nacked, acked] = idsOf((await shop_.receive()).body)
    await shop_.settle('nack', { ack_ids: [nacked] })

    const { status, body } = await shop_.settle('ack', { ack_ids: [nacked, acked] })

    expect(status).toBe(207)
    expect(body).toMatchObject({
      success: false,
      results: [
        { ack_id: nacked, status: 'lease_lost', detail: expect.any(String) },
        { ack_id: acked, status: 'acked' },
      ],
      counts: { lease_lost: 1, acked: 1 },
    })
  })

  test('nacks with a delay in words', async ({ shop_ }) => {
    await shop_.append(1)
    const received = await shop_.receive()

    const { body } = await shop_.settle('nack', {
      ack_ids: idsOf(received.body),
      delay: '1h',
      reason: 'later',
    })

    const dueInMs = Date.parse(body.results[0].visible_at) - Date.now()
    expect(body.results[0].status).toBe('nacked')
    expect(Math.abs(dueInMs - 3_600_000)).toBeLessThan(300_000)
  })

  test('settles in different ways in one call, in the order asked', async ({ storage, shop_ }) => {
    await shop_.append(4)
    const [a, b, c, d] = idsOf((await shop_.receive()).body)

    const { status, body } = await shop_.settle('settle', {
      extends: [{ ack_id: d, visibility_timeout_ms: 60_000 }],
      acks: [{ ack_id: a }],
      nacks: [{ ack_id: b, delay: 5000 }],
      dead_letters: [{ ack_id: c, reason: 'total is null' }],
    })

    expect(status).toBe(200)
    expect(body.results).toEqual([
      { ack_id: a, status: 'acked' },
      { ack_id: b, status: 'nacked', visible_at: expect.any(String) },
      { ack_id: c, status: 'dead_lettered' },
      { ack_id: d, status: 'extended', lease_expires_at: expect.any(String) },
    ])
    const { rows } = await storage.pool.query(
      "select reason from millrace.delivery where state = 'dead'",
    )
    expect(rows).toEqual([{ reason: 'total is null' }])
  })

  test('dead-letters by nack', async ({ api, shop_ }) => {
    await shop_.append(1)
    const ack_ids = idsOf((await shop_.receive()).body)

    const { body } = await shop_.settle('nack', { ack_ids, dead_letter: true })

    expect(body.counts).toEqual({ dead_lettered: 1 })
    const stats = await api.call('GET', '/v1/consumers/inventory/stats')
    expect(stats.body).toMatchObject({ backlog: 0, leased: 0, dead: 1 })
  })

  test('takes a thousand ids', async ({ shop_ }) => {
    await shop_.append(1000)
    const ack_ids = idsOf((await shop_.receive({ batch_size: 1000 })).body)

    const { status, body } = await shop_.settle('ack', { ack_ids })

    expect(status).toBe(200)
    expect(body.counts).toEqual({ acked: 1000 })
  })

  test.for([
    ['ack', { ack_ids: [] }, '/ack_ids', 'must have at least 1 entries'],
    [
      'ack',
      { ack_ids: Array.from({ length: 1001 }, String) },
      '/ack_ids',
      'must have at most 1000',
    ],
    ['ack', { ack_ids: [7] }, '/ack_ids/0', 'must be a string, not a number'],
    ['ack', {}, '/ack_ids', 'is missing'],
    ['ack', { ack_ids: ['a', 'b', 'a'] }, '/ack_ids/2', 'is given twice'],
    ['nack', { ack_ids: ['a'], reason: 'ä'.repeat(1025) }, '/reason', 'must be at most 2048 bytes'],
    ['nack', { ack_ids: ['a'], delay: '13h' }, '/delay', 'must be from 0 to 12h'],
    ['extend', { ack_ids: ['a'] }, '/visibility_timeout_ms', 'is missing'],
    ['settle', {}, '', 'must name 1 to 1000 messages in all, not 0'],
    ['settle', { acks: [{ ack_id: 'a' }], nacks: [{ ack_id: 'a' }] }, '/nacks/0/ack_id', 'twice'],
  ] as const)('refuses %s of %j', async ([verb, request, pointer, detail], { shop_ }) => {
    const { status, body } = await shop_.settle(verb, request)

    expect(status).toBe(422)
    expect(body.errors).toEqual([{ pointer, detail: expect.stringContaining(detail) }])
  })

  test('refuses nonsense among good ids, points at it, and changes nothing', async ({ shop_ }) => {
    await shop_.append(1)
    const [good] = idsOf((await shop_.receive()).body)

    const ack = await shop_.settle('ack', { ack_ids: [good, 'nonsense'] })
    const settle = await shop_.settle('settle', {
      acks: [{ ack_id: good }],
      dead_letters: [{ ack_id: 'nonsense' }],
    })

    expect([ack.status, ack.body.code]).toEqual([400, 'malformed_ack_id'])
    expect(ack.body.errors[0].pointer).toBe('/ack_ids/1')
    expect(settle.body.errors[0].pointer).toBe('/dead_letters/0/ack_id')
    const afterwards = await shop_.settle('ack', { ack_ids: [good] })
    expect(afterwards.body.counts).toEqual({ acked: 1 })
  })

  test('refuses the ids of another consumer', async ({ storage, api, shop_ }) => {
    const { rows } = await storage.pool.query('select source_no from millrace.source')
    await givenConsumer(storage, rows[0].source_no, { name: 'shipping' })
    await shop_.append(1)
    const ack_ids = idsOf((await shop_.receive()).body)

    const { status, body } = await api.call('POST', '/v1/consumers/shipping/ack', { ack_ids })

    expect([status, body.code ?? body.results[0].status]).not.toEqual([200, 'acked'])
    expect((await shop_.settle('ack', { ack_ids })).body.counts).toEqual({ acked: 1 })
  })

  test('answers 404 for a consumer that does not exist', async ({ api }) => {
    for (const verb of ['receive', 'ack']) {
      const request = verb === 'ack' ? { ack_ids: ['a'] } : {}
      const { status, body } = await api.call('POST', `/v1/consumers/nobody/${verb}`, request)
      expect([status, body.code, body.detail]).toEqual([
        404,
        'not_found',
        'There is no consumer "nobody".',
      ])
    }
  })
})
