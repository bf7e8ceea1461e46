import { expect, vi } from 'vitest'

import { test } from '../support/live-server.ts'

/** The longest that most clients wait, and what a receive waits that does not say. */
const WAIT_MS = 20_000
const WAITERS = 500

test(
  'callers that wait cost the storage less than a query each',
  { timeout: WAIT_MS * 4 },
  async ({ server, shop, storage }) => {
    await shop.query('create table orders (id int primary key)')
    await server.connectShop()
    const { client } = server
    await client.consumers.put('inventory', {
      source: 'shop',
      tables: ['public.orders'],
      max_waiting: WAITERS,
    })
    const database = new URL(storage.url).pathname.slice(1)
    const countTransactions = async (): Promise<number> => {
      const { rows } = await shop.query<{ count: number }>(
        `select (xact_commit + xact_rollback)::int as count from pg_stat_database where datname = '${database}'`,
      )
      return rows[0]!.count
    }

    const waiting = Promise.all(
      Array.from({ length: WAITERS }, () => client.receive('inventory', { waitFor: WAIT_MS })),
    )
    await vi.waitUntil(
      async () => (await client.consumers.stats('inventory')).waiters === WAITERS,
      {
        interval: 50,
        timeout: WAIT_MS,
      },
    )
    const before = await countTransactions()
    const answers = await waiting
    const spent = (await countTransactions()) - before

    expect(answers.flatMap(({ data }) => data)).toEqual([])
    // The server's own errands (heartbeats, lag, retention) are among them.
    console.log(`waiting: ${spent} transactions while ${WAITERS} callers waited`)
    expect(spent).toBeLessThan(WAITERS)
  },
)
