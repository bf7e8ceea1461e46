import { describe, expect } from 'vitest'

import { createApp } from '../../src/http/app.ts'
import { createAddressGuard } from '../../src/push/address-guard.ts'
import { test as base } from '../support/database.ts'
import { givenConsumer, givenSource, orders, silentLogger } from '../support/given.ts'
import { startProcess, type TestProcess } from '../support/queues.ts'

const ADMIN_TOKEN = 'mr_test_admin'

type Ask = (
  method: string,
  path: string,
  body?: unknown,
) => Promise<{ status: number; text: string; json: any }>

const test = base.extend<{ process: TestProcess; ask: Ask }>({
  process: async ({ storage }, use) => {
    const process = await startProcess(storage)
    await use(process)
    await process.stop()
  },
  ask: async ({ storage, process }, use) => {
    const { app } = createApp({
      database: storage,
      queues: process.queues,
      secretKey: undefined,
      adminToken: ADMIN_TOKEN,
      pushGuard: createAddressGuard(),
      logger: silentLogger,
      version: '0.0.0',
      roles: ['api'],
      isDraining: () => false,
      renderMetrics: () => '',
    })
    await use(async (method, path, body) => {
      const response = await app.request(path, {
        method,
        headers: {
          authorization: `Bearer ${ADMIN_TOKEN}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      return { status: response.status, text, json: JSON.parse(text) }
    })
  },
})

const CONSUMER = '/v1/consumers/inventory'

describe('operations over HTTP', () => {
  test('follow an order from its fan-out to its redelivery', async ({ storage, process, ask }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await givenConsumer(storage, source.sourceNo, { name: 'shipping' })
    await source.append(orders(3))
    const { messages } = await process.receive(consumer, { waitMs: 20_000 })
    await process.settle(consumer, [
      { kind: 'dead_letter', ackId: messages[1]!.ackId, reason: 'no such product' },
    ])

    const dead = await ask('GET', `${CONSUMER}/messages?state=dead`)
    expect(dead.json.data).toMatchObject([
      { seq: 2, state: 'dead', attempt: 1, reason: 'no such product', record: { id: 2 } },
    ])
    const fanOut = await ask('GET', '/v1/sources/shop/changes/2')
    expect(fanOut.json.consumers.map((each: any) => [each.consumer.name, each.state])).toEqual([
      ['inventory', 'dead'],
      ['shipping', 'ahead'],
    ])
    expect((await ask('GET', `${CONSUMER}/messages/2`)).json.consumers).toHaveLength(1)
    expect((await ask('POST', `${CONSUMER}/redrive`, { all: true })).json).toEqual({
      redriven: 1,
      skipped: 0,
      superseded: [],
      remaining: 0,
    })
    const again = await process.receive(consumer, { waitMs: 20_000 })
    expect(again.messages.map(({ seq, attempt }) => [seq, attempt])).toEqual([[2, 2]])
  })

  test('page through messages of which some are replays of others', async ({
    storage,
    process,
    ask,
  }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append(orders(2))
    for (let round = 0; round < 2; round += 1) {
      const { messages } = await process.receive(consumer, { waitMs: 20_000 })
      await process.settle(
        consumer,
        messages.map(({ ackId }) => ({ kind: 'dead_letter', ackId })),
      )
      if (round === 0) await ask('POST', `${CONSUMER}/replay`, { from: 'earliest' })
    }
    const seen: [number, number][] = []
    let cursor = ''
    do {
      const { json } = await ask('GET', `${CONSUMER}/messages?state=dead&limit=1${cursor}`)
      seen.push(...json.data.map(({ seq, replay }: any) => [seq, replay]))
      cursor = json.next_cursor === null ? '' : `&cursor=${json.next_cursor}`
    } while (cursor !== '')

    expect(seen).toEqual([
      [1, 0],
      [1, 1],
      [2, 0],
      [2, 1],
    ])
    for (const wrong of ['MQ', 'MS9h', 'MS8xLzE']) {
      expect((await ask('GET', `${CONSUMER}/messages?cursor=${wrong}`)).status).toBe(400)
    }
  })

  test('replay a row by its key, as a number or as a text', async ({ storage, process, ask }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append(orders(2))
    // As the log writes a bigint; JavaScript has no number for it.
    await storage.pool.query("update millrace.log set key = '9007199254740993' where seq = 2")
    const { messages } = await process.receive(consumer, { waitMs: 20_000 })
    await process.ack(consumer, messages)
    const replay = async (key: unknown): Promise<number[]> => {
      const { status } = await ask('POST', `${CONSUMER}/replay`, { from: 'earliest', key })
      expect(status).toBe(202)
      const again = await process.receive(consumer, { waitMs: 20_000 })
      await process.ack(consumer, again.messages)
      return again.messages.map(({ seq }) => seq)
    }

    expect(await replay(1)).toEqual([1])
    expect(await replay('1')).toEqual([1])
    expect(await replay(['9007199254740993'])).toEqual([2])
    const rounded = await ask('POST', `${CONSUMER}/replay`, {
      from: 'earliest',
      key: Number('9007199254740993'),
    })
    expect(rounded).toMatchObject({ status: 422, json: { errors: [{ pointer: '/key' }] } })
  })

  test('page through the log in both directions', async ({ storage, ask }) => {
    const source = await givenSource(storage)
    await source.append(orders(5))

    const first = await ask('GET', '/v1/sources/shop/changes?order=newest&limit=3')
    const rest = await ask(
      'GET',
      `/v1/sources/shop/changes?order=newest&limit=3&cursor=${first.json.next_cursor}`,
    )
    const byKey = await ask('GET', '/v1/sources/shop/changes?key=4&table=public.orders')

    expect(first.json.data.map(({ seq }: any) => seq)).toEqual([5, 4, 3])
    expect(rest.json.data.map(({ seq }: any) => seq)).toEqual([2, 1])
    expect(rest.json.next_cursor).toBeNull()
    expect(byKey.json.data.map(({ seq }: any) => seq)).toEqual([4])
  })

  test('begin at a time, in the log and in a queue', async ({ storage, ask }) => {
    const source = await givenSource(storage)
    await givenConsumer(storage, source.sourceNo)
    await source.append(orders(3))
    const { rows } = await storage.pool.query('select millrace.clock() as now')
    await source.append(orders(2, 4))
    const from = (rows[0].now as Date).toISOString()

    const changes = await ask('GET', `/v1/sources/shop/changes?order=newest&from=${from}`)
    const ahead = await ask(
      'GET',
      `/v1/consumers/inventory/messages?state=ahead&limit=1&from=${from}`,
    )
    const rest = await ask(
      'GET',
      `/v1/consumers/inventory/messages?state=ahead&from=${from}&cursor=${ahead.json.next_cursor}`,
    )
    const none = await ask('GET', '/v1/sources/shop/changes?from=2999-01-01T00:00:00Z')

    expect(changes.json.data.map(({ seq }: any) => seq)).toEqual([5, 4])
    expect(ahead.json.data.map(({ seq }: any) => seq)).toEqual([4])
    expect(rest.json.data.map(({ seq }: any) => seq)).toEqual([5])
    expect(none.json.data).toEqual([])
  })

  test('show numbers with all their digits', async ({ storage, ask }) => {
    const source = await givenSource(storage)
    await source.append(orders(1))
    await storage.pool.query(
      `update millrace.log set record = '{"id":1,"n":12345678901234567890.50}'`,
    )

    expect((await ask('GET', '/v1/sources/shop/changes')).text).toContain('12345678901234567890.50')
    expect((await ask('GET', '/v1/sources/shop/changes/1')).text).toContain(
      '12345678901234567890.50',
    )
  })

  test('seek, replay, discard and purge', async ({ storage, process, ask }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await source.append(orders(4))
    const { messages } = await process.receive(consumer, { waitMs: 20_000 })
    await process.ack(consumer, messages)

    expect((await ask('POST', `${CONSUMER}/seek`, { to: { seq: 3 }, dry_run: true })).json).toEqual(
      {
        cursor_seq: 2,
        would_redeliver: 2,
        would_skip: 0,
        dry_run: true,
      },
    )
    const replay = await ask('POST', `${CONSUMER}/replay`, { from: 'earliest', key: 2 })
    expect(replay).toMatchObject({ status: 202, json: { replay: 1, total: 4 } })
    // Whoever comes after the answer need not wait to get what it promised.
    const again = await process.receive(consumer, { waitMs: 0 })
    expect(again.messages.map(({ seq }) => seq)).toEqual([2])
    expect((await ask('POST', `${CONSUMER}/discard`, { all: true })).json).toEqual({ discarded: 0 })
    expect((await ask('POST', `${CONSUMER}/purge`, { confirm: 'shipping' })).status).toBe(422)
    expect((await ask('POST', `${CONSUMER}/purge`, { confirm: 'inventory' })).json).toEqual({
      purged: 1,
    })
  })

  test('refuse what makes no sense, and change nothing', async ({ storage, ask }) => {
    const source = await givenSource(storage)
    await givenConsumer(storage, source.sourceNo)
    await source.append(orders(1))

    for (const [path, body] of [
      [`${CONSUMER}/seek`, { to: 'yesterday' }],
      [`${CONSUMER}/seek`, { to: { seq: 1, time: '2026-01-31T12:00:00Z' } }],
      [`${CONSUMER}/redrive`, {}],
      [`${CONSUMER}/redrive`, { all: true, seqs: [1] }],
    ] as const) {
      expect(await ask('POST', path, body)).toMatchObject({
        status: 422,
        json: { code: 'validation_failed' },
      })
    }
    expect((await ask('GET', '/v1/sources/shop/changes/99')).status).toBe(404)
    expect((await ask('GET', '/v1/sources/shop/changes/x1')).status).toBe(400)
    expect((await ask('GET', `${CONSUMER}/messages?key={"a":1}`)).status).toBe(400)
  })
})
