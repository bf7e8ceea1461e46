import { describe, expect } from 'vitest'

import { givenSource, orders } from '../support/given.ts'
import { makeApi, test } from './api.ts'

const SETTINGS = { source: 'shop', tables: ['public.orders'] }
const PUSH = {
  url: 'https://shipping.example.com/hooks',
  headers: { authorization: 'hook-secret' },
}

describe('a consumer', () => {
  test('is created with the defaults of the contract', async ({ storage, api }) => {
    await givenSource(storage)

    const { status, body } = await api.call('POST', '/v1/consumers', {
      name: 'inventory',
      ...SETTINGS,
    })

    expect(status).toBe(201)
    expect(body).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: 'inventory',
      source: 'shop',
      tables: ['public.orders'],
      actions: ['insert', 'update', 'delete'],
      filter: null,
      columns: null,
      kind: 'changes',
      mode: 'pull',
      push: null,
      start_from: 'now',
      visibility_timeout_ms: 30_000,
      max_in_flight: 10_000,
      max_waiting: 100,
      max_deliveries: null,
      ordering: 'group',
      group_by: null,
      annotations: {},
      paused: null,
      created_at: expect.stringMatching(/Z$/),
      updated_at: expect.stringMatching(/Z$/),
    })
    expect((await api.call('GET', '/v1/consumers/inventory')).body).toEqual(body)
    expect((await api.call('GET', `/v1/consumers/${body.id}`)).body).toEqual(body)
  })

  test('receives at once what comes after its creation', async ({ storage, api }) => {
    const source = await givenSource(storage)
    await source.append(orders(3))
    await api.call('PUT', '/v1/consumers/inventory', SETTINGS)
    await source.append(orders(1, 4))

    const { body } = await api.call('POST', '/v1/consumers/inventory/receive', {})

    expect(body.data.map(({ record }: { record: { id: number } }) => record.id)).toEqual([4])
  })

  test('is made by PUT, and made anew with what is left out at its default', async ({
    storage,
    api,
  }) => {
    await givenSource(storage)
    const path = '/v1/consumers/inventory'

    const first = await api.call('PUT', path, {
      ...SETTINGS,
      max_in_flight: 5,
      start_from: 'earliest',
    })
    const second = await api.call('PUT', path, { ...SETTINGS, max_waiting: 7 })

    expect([first.status, second.status]).toEqual([201, 200])
    expect(second.body).toMatchObject({
      id: first.body.id,
      max_in_flight: 10_000,
      max_waiting: 7,
      start_from: 'earliest',
    })
  })

  test('is changed by PATCH in what is given alone', async ({ storage, api }) => {
    await givenSource(storage)
    const path = '/v1/consumers/inventory'
    const { body: before } = await api.call('PUT', path, {
      ...SETTINGS,
      max_in_flight: 5,
      annotations: { team: 'stock' },
    })

    const { status, body } = await api.call('PATCH', path, { max_waiting: 7 })

    expect(status).toBe(200)
    expect(body).toEqual({ ...before, max_waiting: 7, updated_at: body.updated_at })
  })

  test('is deleted with its queue', async ({ storage, api }) => {
    const source = await givenSource(storage)
    await api.call('PUT', '/v1/consumers/inventory', SETTINGS)
    await source.append(orders(2))
    const received = await api.call('POST', '/v1/consumers/inventory/receive', {})
    await api.call('POST', '/v1/consumers/inventory/nack', {
      ack_ids: [received.body.data[0].ack_id],
    })

    const { status } = await api.call('DELETE', '/v1/consumers/inventory')

    expect(status).toBe(204)
    expect((await api.call('GET', '/v1/consumers/inventory')).status).toBe(404)
    expect((await api.call('DELETE', '/v1/consumers/inventory')).status).toBe(404)
    const { rows } = await storage.pool.query(
      `select (select count(*) from millrace.tick) + (select count(*) from millrace.lease)
         + (select count(*) from millrace.delivery) as remains`,
    )
    expect(rows).toEqual([{ remains: '0' }])
  })

  test('has one name', async ({ storage, api }) => {
    await givenSource(storage)
    await api.call('POST', '/v1/consumers', { name: 'inventory', ...SETTINGS })

    const { status, body } = await api.call('POST', '/v1/consumers', {
      name: 'inventory',
      ...SETTINGS,
    })

    expect([status, body.code]).toEqual([409, 'name_taken'])
  })

  test('made by two at once is one consumer', async ({ storage, api }) => {
    await givenSource(storage)

    const answers = await Promise.all(
      [1, 2, 3].map(() => api.call('POST', '/v1/consumers', { name: 'inventory', ...SETTINGS })),
    )

    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409, 409])
  })

  test.for([
    [{ name: 'Inventory' }, '/name'],
    [{ name: 'f3e8b2a1-9d7c-4b6a-8f5e-2d1c3b4a5e6f' }, '/name'],
    [{ source: 'nowhere' }, '/source'],
    [{ tables: [] }, '/tables'],
    [{ tables: ['orders'] }, '/tables/0'],
    [{ actions: ['upsert'] }, '/actions/0'],
    [{ filter: 'record.total >' }, '/filter'],
    [{ columns: { include: ['a'], exclude: ['b'] } }, '/columns'],
    [{ mode: 'push' }, '/push'],
    [{ mode: 'push', push: { url: 'ftp://example.com' } }, '/push/url'],
    [{ push: { ...PUSH, headers: { 'Webhook-Id': '1' } } }, '/push/headers/Webhook-Id'],
    [{ push: { ...PUSH, headers: { 'User-Agent': 'me' } } }, '/push/headers/User-Agent'],
    [{ push: { ...PUSH, headers: { a: 'b\nc' } } }, '/push/headers/a'],
    [{ start_from: 'yesterday' }, '/start_from'],
    [{ visibility_timeout_ms: 999 }, '/visibility_timeout_ms'],
    [{ visibility_timeout_ms: 43_200_001 }, '/visibility_timeout_ms'],
    [{ max_in_flight: 0 }, '/max_in_flight'],
    [{ max_waiting: 1001 }, '/max_waiting'],
    [{ max_deliveries: 0 }, '/max_deliveries'],
    [{ ordering: 'none', group_by: ['customer_id'] }, '/group_by'],
    [{ annotations: { text: 'x'.repeat(4096) } }, '/annotations'],
    [{ batch_size: 1 }, '/batch_size'],
  ] as const)('is not created with %j', async ([change, pointer], { storage, api }) => {
    await givenSource(storage)

    const { status, body } = await api.call('POST', '/v1/consumers', {
      name: 'inventory',
      ...SETTINGS,
      ...change,
    })

    expect([status, body.code]).toEqual([422, 'validation_failed'])
    expect(body.errors.map((error: { pointer: string }) => error.pointer)).toEqual([pointer])
    expect((await api.call('GET', '/v1/consumers')).body.data).toEqual([])
  })

  test('is refused with the place of what is wrong in its filter', async ({ storage, api }) => {
    const source = await givenSource(storage)
    await source.append(orders(1))

    const { body } = await api.call('POST', '/v1/consumers', {
      name: 'inventory',
      ...SETTINGS,
      filter: 'record.id > 1 &&\n  record.idd < 5',
    })

    expect(body.errors).toEqual([
      {
        pointer: '/filter',
        detail: expect.stringContaining("Line 2, column 10: No selected table has a column 'idd'"),
        position: { offset: 26, line: 2, column: 10 },
      },
    ])
  })

  test('keeps what is fixed at creation', async ({ storage, api }) => {
    await givenSource(storage)
    await givenSource(storage, 'other')
    await api.call('PUT', '/v1/consumers/inventory', SETTINGS)

    for (const change of [{ source: 'other' }, { kind: 'rows' }, { start_from: 'earliest' }]) {
      const { status, body } = await api.call('PATCH', '/v1/consumers/inventory', change)
      expect(status).toBe(422)
      expect(body.errors).toEqual([
        { pointer: `/${Object.keys(change)[0]}`, detail: expect.stringContaining('fixed') },
      ])
    }
  })

  test('can be paused and resumed', async ({ storage, api }) => {
    const source = await givenSource(storage)
    await api.call('PUT', '/v1/consumers/inventory', SETTINGS)
    await source.append(orders(1))
    const receive = (waitFor: number): ReturnType<typeof api.call> =>
      api.call('POST', '/v1/consumers/inventory/receive', { wait_for: waitFor })

    const paused = await api.call('POST', '/v1/consumers/inventory/pause', {
      reason: 'stock-taking',
    })
    const whilePaused = await receive(0)
    const resumed = await api.call('POST', '/v1/consumers/inventory/resume')
    const afterwards = await receive(20_000)

    expect(paused.body.paused).toEqual({ until: null, reason: 'stock-taking' })
    expect(whilePaused.body).toEqual({ data: [], meta: { limited_by: 'paused' } })
    expect(resumed.body.paused).toBeNull()
    expect(afterwards.body.data).toHaveLength(1)
  })

  test('can be paused until a time', async ({ storage, api }) => {
    await givenSource(storage)
    await api.call('PUT', '/v1/consumers/inventory', SETTINGS)

    const { body } = await api.call('POST', '/v1/consumers/inventory/pause', {
      until: '2100-01-01T02:00:00+02:00',
    })

    expect(body.paused).toEqual({ until: '2100-01-01T00:00:00.000Z', reason: null })
  })

  test('is listed by name, in pages', async ({ storage, api }) => {
    await givenSource(storage)
    for (const name of ['b', 'c', 'a']) await api.call('PUT', `/v1/consumers/${name}`, SETTINGS)
    const namesOf = (body: { data: { name: string }[] }): string[] =>
      body.data.map(({ name }) => name)

    const first = await api.call('GET', '/v1/consumers?limit=2')
    const rest = await api.call('GET', `/v1/consumers?limit=2&cursor=${first.body.next_cursor}`)

    expect(namesOf(first.body)).toEqual(['a', 'b'])
    expect(namesOf(rest.body)).toEqual(['c'])
    expect(rest.body.next_cursor).toBeNull()
  })
})

describe('a webhook', () => {
  test('shows its secret once and its headers never', async ({ storage, api }) => {
    await givenSource(storage)
    const path = '/v1/consumers/shipping'

    const created = await api.call('PUT', path, { ...SETTINGS, mode: 'push', push: PUSH })
    const shown = await api.call('GET', path)

    expect(created.body.push_secret).toMatch(/^whsec_/)
    expect(created.body.push).toEqual({
      url: PUSH.url,
      batch_size: 1,
      timeout_ms: 15_000,
      max_in_flight: 10,
      rate_per_second: null,
      allow_http: false,
    })
    expect(JSON.stringify(shown.body)).not.toMatch(/whsec|hook-secret/)
    const { rows } = await storage.pool.query('select push, push_sealed from millrace.consumer')
    expect(JSON.stringify(rows[0].push) + rows[0].push_sealed.toString('latin1')).not.toMatch(
      /whsec|hook-secret/,
    )
  })

  test('keeps headers and secret through changes', async ({ storage, api }) => {
    await givenSource(storage)
    const path = '/v1/consumers/shipping'
    const sealed = async (): Promise<string> =>
      (
        await storage.pool.query('select push_sealed from millrace.consumer')
      ).rows[0].push_sealed.toString('hex')
    await api.call('PUT', path, { ...SETTINGS, mode: 'push', push: PUSH })
    const before = await sealed()

    const changed = await api.call('PUT', path, {
      ...SETTINGS,
      mode: 'push',
      push: { url: 'https://other.example.com/' },
    })
    const pulled = await api.call('PATCH', path, { mode: 'pull' })

    expect(changed.body.push.url).toBe('https://other.example.com/')
    expect(pulled.body).toMatchObject({ mode: 'pull', push: { url: 'https://other.example.com/' } })
    expect([changed.body.push_secret, pulled.body.push_secret]).toEqual([undefined, undefined])
    expect(await sealed()).toBe(before)
    await api.call('PATCH', path, { push: { ...PUSH, headers: {} } })
    expect(await sealed()).not.toBe(before)
  })

  test('gets another secret, while the old one still signs', async ({ storage, api }) => {
    await givenSource(storage)
    const path = '/v1/consumers/shipping'
    const created = await api.call('PUT', path, { ...SETTINGS, mode: 'push', push: PUSH })

    const { status, body } = await api.call('POST', `${path}/push/rotate_secret`)

    expect(status).toBe(200)
    expect(body.push_secret).toMatch(/^whsec_/)
    expect(body.push_secret).not.toBe(created.body.push_secret)
    expect(Date.parse(body.previous_expires_at)).toBeGreaterThan(Date.now())
  })

  test('that does not exist has no secret to rotate', async ({ storage, api }) => {
    await givenSource(storage)
    await api.call('PUT', '/v1/consumers/inventory', SETTINGS)

    const { status, body } = await api.call('POST', '/v1/consumers/inventory/push/rotate_secret')

    expect([status, body.code]).toEqual([409, 'conflict'])
  })

  test('is refused by a server without a key', async ({ storage, api }) => {
    await givenSource(storage)
    const { call } = makeApi(storage, api.queues, { secretKey: undefined })

    const { status, body } = await call('PUT', '/v1/consumers/shipping', {
      ...SETTINGS,
      mode: 'push',
      push: PUSH,
    })

    expect([status, body.code]).toEqual([409, 'secret_key_missing'])
    expect((await call('GET', '/v1/consumers')).body.data).toEqual([])
  })
})
