import { describe, expect } from 'vitest'

import {
  createConsumer,
  deleteConsumer,
  findStoredConsumer,
  patchConsumer,
  type ConsumerStoreOptions,
} from '../../src/queue/consumer-store.ts'
import type { Database } from '../../src/storage/database.ts'
import { test } from '../support/database.ts'
import { givenSource, orders } from '../support/given.ts'

const OPTIONS: ConsumerStoreOptions = { sealPush: () => null }
const SETTINGS = { source: 'shop', tables: ['public.orders'] }

async function cursorOf(storage: Database, start_from?: string): Promise<number> {
  const settings = { ...SETTINGS, ...(start_from === undefined ? {} : { start_from }) }
  const { consumerNo, name } = await createConsumer(storage.db, 'test', settings, OPTIONS)
  const { rows } = await storage.pool.query(
    `select version, writer, cursor_seq, lease_floor, next_lease_no
     from millrace.tick where consumer_no = $1`,
    [consumerNo],
  )
  expect(rows).toEqual([
    {
      version: '1',
      writer: '0',
      cursor_seq: expect.any(String),
      lease_floor: '1',
      next_lease_no: '1',
    },
  ])
  await deleteConsumer(storage.db, name)
  return Number(rows[0].cursor_seq)
}

describe('a new consumer', () => {
  test('of an empty log begins at its beginning', async ({ storage }) => {
    await givenSource(storage)

    for (const startFrom of ['now', 'earliest', 'backfill', '2020-01-01T00:00:00Z']) {
      expect(await cursorOf(storage, startFrom)).toBe(0)
    }
  })

  test('begins behind what is stored, or before what is left of it', async ({ storage }) => {
    const source = await givenSource(storage)
    await source.append(orders(10))
    await storage.pool.query('delete from millrace.log where seq <= 3')

    expect(await cursorOf(storage)).toBe(10)
    expect(await cursorOf(storage, 'now')).toBe(10)
    expect(await cursorOf(storage, 'backfill')).toBe(10)
    expect(await cursorOf(storage, 'earliest')).toBe(3)
  })

  test('begins at a time, whatever the time', async ({ storage }) => {
    const source = await givenSource(storage)
    await source.append(orders(100))
    await storage.pool.query(
      `update millrace.log set committed_at = '2026-01-01T00:00:00Z'::timestamptz + (seq / 2) * interval '1 minute'`,
    )
    const at = (minutes: number): string => new Date(Date.UTC(2026, 0, 1, 0, minutes)).toISOString()

    for (const minute of [0, 1, 2, 25, 49, 50]) {
      const { rows } = await storage.pool.query(
        'select min(seq) - 1 as cursor from millrace.log where committed_at >= $1',
        [at(minute)],
      )
      expect([minute, await cursorOf(storage, at(minute))]).toEqual([
        minute,
        Number(rows[0].cursor),
      ])
    }
    expect(await cursorOf(storage, at(-60))).toBe(0)
    expect(await cursorOf(storage, at(60))).toBe(100)
    expect(await cursorOf(storage, '2026-01-01T02:25:00+02:00')).toBe(49)
  })

  test('misses nothing where commit times are out of order', async ({ storage }) => {
    const source = await givenSource(storage)
    await source.append(orders(20))
    await storage.pool.query(
      `update millrace.log set committed_at = '2026-01-01T00:00:00Z'::timestamptz
         + (case when seq in (8, 9) then 17 - seq else seq end) * interval '1 minute'`,
    )

    // 8 was committed at minute 9, and 9 at minute 8: looking at 9 alone, one would go on behind it.
    expect(await cursorOf(storage, '2026-01-01T00:09:00Z')).toBe(7)
  })
})

describe('a change', () => {
  test('raises the version and tells all processes', async ({ storage }) => {
    await givenSource(storage)
    const { configVersion } = await createConsumer(storage.db, 'test', SETTINGS, OPTIONS)
    const client = await storage.pool.connect()
    const heard = new Promise((resolve) => client.on('notification', resolve))
    await client.query('listen millrace_config')

    const changed = await patchConsumer(storage.db, 'test', { max_waiting: 7 }, OPTIONS)

    expect(changed).toMatchObject({ maxWaiting: 7, configVersion: configVersion + 1 })
    await heard
    client.release(true)
  })

  test('waits for the tick under way', async ({ storage }) => {
    await givenSource(storage)
    const { consumerNo } = await createConsumer(storage.db, 'test', SETTINGS, OPTIONS)
    const client = await storage.pool.connect()
    await client.query('begin')
    await client.query('select pg_advisory_xact_lock(1297239634, $1)', [consumerNo])

    let isDone = false
    const change = patchConsumer(storage.db, 'test', { max_waiting: 7 }, OPTIONS).then(() => {
      isDone = true
    })
    try {
      await expect
        .poll(async () => {
          const { rows } = await storage.pool.query(
            `select from pg_locks where locktype = 'advisory' and not granted
               and database = (select oid from pg_database where datname = current_database())`,
          )
          return rows.length
        })
        .toBe(1)
      expect(isDone).toBe(false)
    } finally {
      await client.query('commit')
      client.release()
    }
    await change
  })

  test('of two at once loses neither', async ({ storage }) => {
    await givenSource(storage)
    await createConsumer(storage.db, 'test', SETTINGS, OPTIONS)

    await Promise.all([
      patchConsumer(storage.db, 'test', { max_waiting: 7 }, OPTIONS),
      patchConsumer(storage.db, 'test', { max_in_flight: 8 }, OPTIONS),
    ])

    expect(await findStoredConsumer(storage.db, 'test')).toMatchObject({
      maxWaiting: 7,
      maxInFlight: 8,
    })
  })

  test('checks columns against the tables that are known', async ({ storage }) => {
    const source = await givenSource(storage)
    await source.append(orders(1))

    const created = createConsumer(
      storage.db,
      'test',
      { ...SETTINGS, group_by: ['customer'] },
      OPTIONS,
    )

    await expect(created).rejects.toMatchObject({
      code: 'validation_failed',
      errors: [{ pointer: '/group_by/0' }],
    })
  })
})
