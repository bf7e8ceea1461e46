import { describe, expect } from 'vitest'

import {
  AuthError,
  ConflictError,
  createClient,
  NotFoundError,
  ValidationError,
  type Message,
} from '../../sdk/src/index.ts'
import { orders } from '../support/given.ts'
import { CONSUMER, test } from './support/server.ts'

const idsOf = (messages: Message[]) => messages.map(({ ack_id }) => ack_id)

describe('the client, with a server,', () => {
  test('receives, extends, acks, nacks, and makes dead letters', async ({ client, source }) => {
    await source.append(orders(4))

    const { data, meta } = await client.receive<{ id: number }>(CONSUMER, { batchSize: 10 })
    expect(data.map(({ record }) => record.id)).toEqual([1, 2, 3, 4])
    expect(meta).toEqual({ limited_by: null })
    expect(data[0]).toMatchObject({
      action: 'insert',
      changes: null,
      metadata: { table_name: 'orders', consumer: { name: CONSUMER } },
      delivery: { attempt: 1 },
    })
    const [first = '', second = '', third = '', fourth = ''] = idsOf(data)
    const statusOf = ({ results }: { results: { status: string }[] }) => results[0]?.status

    expect(statusOf(await client.extend(CONSUMER, [first], { visibilityTimeoutMs: 60_000 }))).toBe(
      'extended',
    )
    expect(statusOf(await client.ack(CONSUMER, [first]))).toBe('acked')
    expect(statusOf(await client.ack(CONSUMER, [first]))).toBe('already_acked')
    expect(
      statusOf(
        await client.nack(CONSUMER, [second], { delay: '1h', reason: 'no', countAttempt: false }),
      ),
    ).toBe('nacked')
    expect(statusOf(await client.nack(CONSUMER, [third], { deadLetter: true }))).toBe(
      'dead_lettered',
    )
    const mixed = await client.settle(CONSUMER, {
      acks: [{ ack_id: fourth }],
      nacks: [{ ack_id: third }],
    })
    expect(mixed).toMatchObject({ success: false, counts: { acked: 1, lease_lost: 1 } })
    expect(await client.consumers.stats(CONSUMER)).toMatchObject({
      backlog: 0,
      leased: 0,
      retrying: 1,
      dead: 1,
    })
  })

  test('acks on the way to the next receive', async ({ client, source }) => {
    await source.append(orders(3))
    const first = await client.receive(CONSUMER, { batchSize: 2 })
    expect(first).not.toHaveProperty('acks')
    const ackIds = idsOf(first.data)
    await client.nack(CONSUMER, ackIds.slice(1), { delay: '1h' })

    const next = await client.receive<{ id: number }>(CONSUMER, { ackIds, waitFor: 0 })

    expect(next.data.map(({ record }) => record.id)).toEqual([3])
    expect(next.acks).toMatchObject({ success: false, lost: [{ ack_id: ackIds[1] }] })
  })

  test('gets every digit of a number', async ({ client, source, storage }) => {
    await source.append(orders(1))
    const record = '{"id":9223372036854775807,"price":12345678901234567.89,"count":3}'
    await storage.pool.query('update millrace.log set record = $1', [record])

    const { data } = await client.receive(CONSUMER)

    expect(data[0]?.record).toEqual({
      id: 9223372036854775807n,
      price: '12345678901234567.89',
      count: 3,
    })
  })

  test('waits for a message and may be told to stop waiting', async ({ client, source }) => {
    const waiting = client.receive(CONSUMER, { waitFor: '30s' })
    await source.append(orders(1))
    expect((await waiting).data).toHaveLength(1)

    const controller = new AbortController()
    const given = client.receive(CONSUMER, { waitFor: '30s', signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(given).rejects.toThrow('enough')
    expect((await client.receive(CONSUMER, { waitFor: 0 })).data).toEqual([])
  })

  test('manages consumers', async ({ client }) => {
    const { consumers } = client
    const settings = { source: 'shop', tables: ['public.orders'] }

    const created = await consumers.create({ name: 'shipping', ...settings })
    expect(created).toMatchObject({ name: 'shipping', mode: 'pull' })
    await expect(consumers.create({ name: 'shipping', ...settings })).rejects.toThrow(ConflictError)
    const put = await consumers.put('shipping', { ...settings, max_in_flight: 7 })
    expect(put.max_in_flight).toBe(7)
    expect((await consumers.patch(created.id, { max_waiting: 3 })).max_waiting).toBe(3)
    expect(await consumers.get('shipping')).toMatchObject({ max_in_flight: 7, max_waiting: 3 })
    const paused = await consumers.pause('shipping', { reason: 'moving' })
    expect(paused.paused).toEqual({ reason: 'moving', until: null })
    expect((await consumers.resume('shipping')).paused).toBeNull()

    expect(await consumers.list({ limit: 1 })).toMatchObject({ data: [{ name: CONSUMER }] })
    const all = []
    for await (const { name } of consumers.listAll()) all.push(name)
    expect(all).toEqual([CONSUMER, 'shipping'])

    await consumers.delete('shipping')
    await expect(consumers.get('shipping')).rejects.toThrow(NotFoundError)
  })

  test('checks, lists and shows sources', async ({ client, shop }) => {
    const { checks } = await client.sources.test({ name: 'other', url: shop.url })
    expect(checks.length).toBeGreaterThan(3)

    expect(await client.sources.list()).toMatchObject({ data: [{ name: 'shop' }] })
    expect(await client.sources.get('shop')).toMatchObject({ name: 'shop', slot: 'slot' })
  })

  test('makes tokens, uses them, and revokes them', async ({ client, url }) => {
    const { id, token } = await client.tokens.create({
      name: 'inventory service',
      scopes: ['consume'],
      consumers: [CONSUMER],
    })
    const service = createClient({ baseUrl: url, token })

    expect(await service.receive(CONSUMER, { waitFor: 0 })).toMatchObject({ data: [] })
    await expect(service.consumers.list()).rejects.toThrow(AuthError)
    await expect(service.receive('shipping')).rejects.toThrow(NotFoundError)
    await client.tokens.delete(id)
    expect(await client.tokens.list()).toMatchObject({
      data: [{ id, revoked_at: expect.any(String) as string }],
    })
  })

  test('tells refusals apart, with their request and their faults', async ({ client, url }) => {
    const stranger = createClient({ baseUrl: url })
    await expect(stranger.receive(CONSUMER)).rejects.toMatchObject({
      name: 'AuthError',
      status: 401,
      code: 'unauthenticated',
      requestId: expect.stringMatching(/./) as string,
    })
    const refused = await client
      .receive(CONSUMER, { batchSize: 0 })
      .catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(ValidationError)
    expect(refused).toMatchObject({ problem: { errors: [{ pointer: '/batch_size' }] } })
  })
})
