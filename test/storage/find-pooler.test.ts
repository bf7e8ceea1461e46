import pg from 'pg'
import { describe, expect } from 'vitest'

import { findPooler } from '../../src/storage/find-pooler.ts'
import { test } from '../support/database.ts'
import { Pooler, type Pooling } from '../support/pooler.ts'
import { Proxy } from '../support/proxy.ts'

async function look(url: string): Promise<string> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return await findPooler(client, { connectionString: url })
  } finally {
    await client.end()
  }
}

describe('what lies between a client and its server', () => {
  test('is nothing, or what only hands on bytes', async ({ shop }) => {
    expect(await look(shop.url)).toBe('none')
    await using proxy = await Proxy.start(Number(new URL(shop.url).port))
    expect(await look(proxy.through(shop.url))).toBe('none')
  })

  test.for<[Pooling, number, string]>([
    ['last used', 1, 'transaction'],
    ['last used', 3, 'transaction'],
    ['in turn', 2, 'transaction'],
    ['in turn', 3, 'transaction'],
    ['in turn', 4, 'transaction'],
    ['in turn', 5, 'transaction'],
    ['session', 3, 'session'],
    // The second client waits for a connection that does not come.
    ['session', 1, 'session'],
  ])('is a pooler: %s, of %i connections', async ([pooling, size, expected], { shop }) => {
    await using pooler = await Pooler.start(shop.url, { pooling, size })
    expect(await look(pooler.through(shop.url))).toBe(expected)
  })

  test('is a pooler that others are using at the same time', async ({ shop }) => {
    await using pooler = await Pooler.start(shop.url, { pooling: 'last used', size: 6 })
    const busy = Array.from({ length: 4 }, () => new pg.Client(pooler.through(shop.url)))
    const over = new AbortController()
    await Promise.all(busy.map((client) => client.connect()))
    const work = busy.map(async (client) => {
      while (!over.signal.aborted) await client.query('select pg_sleep(random() * 0.002)')
    })
    expect(await look(pooler.through(shop.url))).toBe('transaction')
    over.abort()
    await Promise.all(work)
    await Promise.all(busy.map((client) => client.end()))
  })
})
