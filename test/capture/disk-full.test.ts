import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import pg from 'pg'
import { expect } from 'vitest'

import { openDatabase } from '../../src/storage/database.ts'
import { migrate } from '../../src/storage/migrate.ts'
import { test as base } from '../support/database.ts'
import { RestartablePostgres } from '../support/restartable-postgres.ts'
import { fillUp, mountSmallDisk, unmountDisk } from '../support/small-disk.ts'
import { Capture, makeSource, until } from './capture-harness.ts'

const ROWS = 6_000

const disk = await mountSmallDisk()

const test = base.extend<{ small: RestartablePostgres }>({
  small: async ({}, use) => {
    const settings = { max_wal_size: '64MB', min_wal_size: '32MB', shared_buffers: '16MB' }
    {
      await using postgres = await RestartablePostgres.start(settings, disk)
      await use(postgres)
    }
    await unmountDisk(disk!)
  },
})

/** A server that could not even write its WAL has gone down, and does not come up by itself. */
async function bringUp(postgres: RestartablePostgres): Promise<void> {
  const client = new pg.Client(postgres.urlOf())
  client.on('error', () => {})
  try {
    await client.connect()
  } catch {
    await postgres.down()
    await postgres.up()
  } finally {
    await client.end().catch(() => undefined)
  }
}

// Where no disk can be mounted this cannot be made to happen.
test.skipIf(disk === undefined)(
  'a storage whose disk is full is waited for, and gets every change once',
  { timeout: 240_000 },
  async ({ small, shop }) => {
    const storage = openDatabase(small.urlOf())
    try {
      await migrate(storage)
      await shop.query('create table t (id int primary key, pad text)')
      const source = await makeSource(storage, shop)
      await using capture = new Capture(storage, source)
      await shop.query('insert into t values (0, null)')
      await capture.waitFor(1)
      const ballast = join(disk!, 'ballast')
      await fillUp(ballast)
      // 60 MB: more than what the WAL's files have room for.
      await shop.query(
        `insert into t select i, repeat(md5(i::text), 320) from generate_series(1, ${ROWS}) i`,
      )
      await until(() => capture.reader.state === 'retrying')
      expect(capture.reader.failure?.reason).toMatch(/^the storage: /)
      await rm(ballast)
      await bringUp(small)
      await until(async () => {
        const { rows } = await storage.pool
          .query<{ count: number }>('select count(*)::int as count from millrace.log')
          .catch(() => ({ rows: [{ count: 0 }] }))
        return rows[0]!.count > ROWS
      })
      const { rows } = await storage.pool.query<{
        keys: number
        rows: number
        least: number
        most: number
      }>(
        `select count(distinct key)::int as keys, count(*)::int as rows,
           min(seq)::int as least, max(seq)::int as most from millrace.log`,
      )
      expect(rows[0]).toEqual({ keys: ROWS + 1, rows: ROWS + 1, least: 1, most: ROWS + 1 })
      expect(capture.reader.metrics.failures).toBeGreaterThan(0)
    } finally {
      await storage.close()
    }
  },
)
