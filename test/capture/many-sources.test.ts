import { expect } from 'vitest'

import { READER_TIMING } from '../../src/capture/reader-timing.ts'
import { openDatabase } from '../../src/storage/database.ts'
import { migrate } from '../../src/storage/migrate.ts'
import { test } from '../support/database.ts'
import { RestartablePostgres } from '../support/restartable-postgres.ts'
import { run, WatchedSources, type WatchedSource } from './watched-sources.ts'

const SOURCES = 50
const TABLE = 'create table t (id int primary key)'

test(
  `one process reads ${SOURCES} sources, each with a state of its own`,
  { timeout: 240_000 },
  async () => {
    const settings = {
      max_connections: '400',
      max_replication_slots: '60',
      max_wal_senders: '60',
    }
    await using postgres = await RestartablePostgres.start(settings)
    await run(postgres.urlOf(), 'create database storage', 'create database shop')
    const shop = postgres.urlOf('shop')
    const names = Array.from({ length: SOURCES }, (_, index) => `shop_${index}`)
    await run(shop, TABLE)
    await run(postgres.urlOf(), ...names.map((name) => `create database ${name} template shop`))
    const storage = openDatabase(postgres.urlOf('storage'))
    try {
      await migrate(storage)
      const before = process.memoryUsage().rss
      // As in earnest: each heartbeat of one is WAL that all the others go through.
      await using sources = new WatchedSources(storage, { ...READER_TIMING, watchMs: 2_000 })
      const watched: WatchedSource[] = []
      for (const name of names) watched.push(await sources.connect(postgres.urlOf(name)))

      const sick = watched[SOURCES / 2]!
      await run(postgres.urlOf(names[SOURCES / 2]), `drop publication "${sick.source.publication}"`)
      await sick.become('needs_attention', /publication/)
      for (const name of names) await run(postgres.urlOf(name), 'insert into t values (1)')
      const others = watched.filter((source) => source !== sick)
      for (const source of others) await source.waitForKeys(['1'])
      expect(others.map(({ failures }) => failures)).toEqual(others.map(() => 0))
      for (const source of others) await source.become('healthy')
      expect(await sick.keys()).toEqual([])
      const growth = process.memoryUsage().rss - before
      console.info(`${SOURCES} sources took ${Math.round(growth / 1e6)} MB`)
      expect(growth / SOURCES).toBeLessThan(10_000_000)
    } finally {
      await storage.close()
    }
  },
)
