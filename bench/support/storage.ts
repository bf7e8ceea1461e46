import { randomBytes } from 'node:crypto'

import pg from 'pg'

import { createSource } from '../../src/capture/create-source.ts'
import { openDatabase } from '../../src/storage/database.ts'
import { migrate } from '../../src/storage/migrate.ts'
import { PUBLICATION } from './orders.ts'

/** A migrated storage with the source `shop`, before any server runs on it. */
export interface BenchStorage {
  readonly url: string
  /** Opens the source's password. */
  readonly secretKey: Buffer
}

/** `slot` exists: what the server captures begins where it stands. */
export async function createStorage(
  url: string,
  shopUrl: string,
  slot: string,
): Promise<BenchStorage> {
  const shop = new URL(shopUrl)
  const secretKey = randomBytes(32)
  const database = openDatabase(url)
  try {
    await migrate(database)
    await createSource(
      database,
      {
        name: 'shop',
        connection: {
          host: shop.hostname,
          port: Number(shop.port),
          database: shop.pathname.slice(1),
          user: shop.username,
          password: decodeURIComponent(shop.password),
          ssl: { mode: 'disable' },
        },
        slot,
        publication: PUBLICATION,
        create: false,
      },
      { secretKey },
    )
    return { url, secretKey }
  } finally {
    await database.close()
  }
}

const POLL_MS = 10

/**
 * Watches the log grow to `count` changes. The time runs from the last look that
 * found none, so that the start of the server is not counted; it is too long by one
 * look at most.
 */
export async function timeCapture(
  url: string,
  count: number,
): Promise<{ changes: number; seconds: number }> {
  const client = new pg.Client(url)
  await client.connect()
  let start = performance.now()
  try {
    for (;;) {
      const { rows } = await client.query<{ seq: number }>({
        name: 'seq',
        text: 'select coalesce(max(next_seq) - 1, 0)::int as seq from millrace.position',
      })
      const { seq } = rows[0]!
      const at = performance.now()
      if (seq === 0) start = at
      if (seq >= count) return { changes: seq, seconds: (at - start) / 1000 }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  } finally {
    await client.end()
  }
}
