import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import pg from 'pg'
import { describe, expect } from 'vitest'

import { acceptGap } from '../../src/capture/accept-gap.ts'
import type { Database } from '../../src/storage/database.ts'
import { test as base } from '../support/database.ts'
import { Proxy } from '../support/proxy.ts'
import { RestartablePostgres } from '../support/restartable-postgres.ts'
import { until } from './capture-harness.ts'
import { KEYS, run, WatchedSources, type WatchedSource } from './watched-sources.ts'

/** A source, its standby, and the address that leads to the one that is in charge. */
class Cluster implements AsyncDisposable {
  readonly primary: RestartablePostgres
  readonly standby: RestartablePostgres
  readonly source: WatchedSource
  readonly #proxy: Proxy
  readonly #sources: WatchedSources

  private constructor(
    parts: [RestartablePostgres, RestartablePostgres, WatchedSource, Proxy, WatchedSources],
  ) {
    ;[this.primary, this.standby, this.source, this.#proxy, this.#sources] = parts
  }

  static async start(storage: Database, settings: Record<string, string>): Promise<Cluster> {
    const primary = await RestartablePostgres.start({ wal_sender_timeout: '2s' })
    await run(
      primary.urlOf(),
      'create table t (id int primary key)',
      `select pg_create_physical_replication_slot('standby')`,
    )
    const standby = await primary.follow({ primary_slot_name: 'standby', ...settings })
    const proxy = await Proxy.start(primary.port)
    const sources = new WatchedSources(storage)
    const source = await sources.connect(proxy.through(primary.urlOf()))
    return new Cluster([primary, standby, source, proxy, sources])
  }

  /** The standby has all that the primary has. */
  async catchUp(): Promise<void> {
    const { lsn } = await ask<{ lsn: string }>(
      this.primary,
      'select pg_current_wal_lsn()::text as lsn',
    )
    await until(async () => {
      const { isThere } = await ask<{ isThere: boolean }>(
        this.standby,
        `select pg_last_wal_replay_lsn() >= '${lsn}'::pg_lsn as "isThere"`,
      )
      return isThere
    })
  }

  /** Nothing comes to the reader any more, and it does not know. */
  hold(): void {
    this.#proxy.hold()
  }

  /** The primary is gone for good: the standby takes its place. */
  async promote(): Promise<void> {
    await run(this.standby.urlOf(), 'select pg_promote(true, 600)')
    this.leadToStandby()
  }

  leadToStandby(): void {
    this.#proxy.pointTo(this.standby.port)
    this.#proxy.cut()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sources[Symbol.asyncDispose]()
    await this.#proxy[Symbol.asyncDispose]()
    await this.standby[Symbol.asyncDispose]()
    await this.primary[Symbol.asyncDispose]()
  }
}

async function ask<T extends pg.QueryResultRow>(server: RestartablePostgres, sql: string) {
  const client = new pg.Client(server.urlOf())
  await client.connect()
  try {
    return (await client.query<T>(sql)).rows[0]!
  } finally {
    await client.end()
  }
}

/** WAL of so many bytes, of no table. */
const emit = (bytes: number): string =>
  `select pg_logical_emit_message(true, 'noise', repeat('x', ${bytes}))`

const test = base.extend<{ start: (settings?: Record<string, string>) => Promise<Cluster> }>({
  start: async ({ storage }, use) => {
    const clusters: Cluster[] = []
    await use(async (settings = {}) => {
      const cluster = await Cluster.start(storage, settings)
      clusters.push(cluster)
      return cluster
    })
    for (const cluster of clusters) await cluster[Symbol.asyncDispose]()
  },
})

describe('when a standby takes the place of the source', { timeout: 240_000 }, () => {
  test('it is read on without a gap if it has the slot', async ({ start }) => {
    const cluster = await start({ sync_replication_slots: 'on' })
    const { primary, standby, source } = cluster
    await run(primary.urlOf(), 'insert into t values (1)')
    await source.waitForKeys(['1'])
    await until(async () => {
      const { count } = await ask<{ count: number }>(
        standby,
        `select count(*)::int as count from pg_replication_slots
         where slot_name = '${source.source.slot}' and synced and not temporary`,
      )
      return count === 1
    })
    // Stored already, and not yet read: both are behind what the standby's slot says.
    await run(primary.urlOf(), 'insert into t values (2)')
    await source.waitForKeys(['1', '2'])
    cluster.hold()
    await run(primary.urlOf(), 'insert into t values (3)')
    await cluster.catchUp()
    await primary.crash()
    await cluster.promote()
    await run(standby.urlOf(), 'insert into t values (4)')
    await source.waitForKeys(['1', '2', '3', '4'])
    await source.become('healthy')
    expect(await source.keys()).toEqual(['1', '2', '3', '4'])
    expect((await source.health()).gaps).toEqual([])
  })

  test('it needs a person if it has no slot, and goes on when told', async ({ start, storage }) => {
    const cluster = await start()
    const { primary, standby, source } = cluster
    await run(primary.urlOf(), 'insert into t values (1)')
    await source.waitForKeys(['1'])
    cluster.hold()
    await run(primary.urlOf(), 'insert into t values (2)')
    await cluster.catchUp()
    await primary.crash()
    await cluster.promote()
    const { remedy } = await source.become('needs_attention', /the slot .* is gone/)
    await run(standby.urlOf(), remedy!.split(' -- ')[0]!)
    await source.become('needs_attention', /changes are missing/)
    const gap = await acceptGap(storage, source.source.id, KEYS)
    await run(standby.urlOf(), 'insert into t values (3)')
    await source.waitForKeys(['1', '3'])
    await source.become('healthy')
    expect(await source.keys()).toEqual(['1', '3'])
    expect((await source.health()).gaps).toEqual([gap])
  })

  test('it is not trusted if it lacks what was read, and then its own changes all count', async ({
    start,
    storage,
  }) => {
    const cluster = await start()
    const { primary, standby, source } = cluster
    await cluster.catchUp()
    await standby.down()
    for (let id = 1; id <= 3; id++) await run(primary.urlOf(), `insert into t values (${id})`)
    await source.waitForKeys(['1', '2', '3'])
    await primary.down()
    await standby.up()
    await cluster.promote()
    const { remedy } = await source.become('needs_attention', /the slot .* is gone/)
    await run(standby.urlOf(), remedy!.split(' -- ')[0]!)
    await source.become('needs_attention', /older copy|timeline|changes are missing/)
    await acceptGap(storage, source.source.id, KEYS)
    // Its positions are those that the lost changes had, or lower.
    for (const id of [1, 2]) await run(standby.urlOf(), `insert into t values (${id})`)
    await source.waitForKeys(['1', '2', '3', '1', '2'])
    await source.become('healthy')
    expect(await source.keys()).toEqual(['1', '2', '3', '1', '2'])
    expect((await source.health()).gaps).toHaveLength(1)
  })

  test('nor is it by its place in the WAL, once it has written more than it lacks', async ({
    start,
    storage,
  }) => {
    const cluster = await start()
    const { primary, standby, source } = cluster
    await cluster.catchUp()
    await standby.down()
    // More than the standby writes while it takes over.
    await run(primary.urlOf(), emit(4_000_000), 'insert into t values (1)')
    await source.waitForKeys(['1'])
    await primary.down()
    await standby.up()
    // Made before the place that was read up to, and then past it.
    await run(
      standby.urlOf(),
      'select pg_promote(true, 600)',
      `select pg_create_logical_replication_slot('${source.source.slot}', 'pgoutput')`,
      emit(8_000_000),
    )
    cluster.leadToStandby()
    await source.become('needs_attention', /timeline 2 before .* lacks changes that were read/)
    await acceptGap(storage, source.source.id, KEYS)
    await run(standby.urlOf(), 'insert into t values (2)')
    await source.waitForKeys(['1', '2'])
    expect(await source.keys()).toEqual(['1', '2'])
  })

  test('an older copy of the source is not trusted, and is on the same timeline', async ({
    start,
    storage,
  }) => {
    const cluster = await start()
    const { primary, standby: copy, source } = cluster
    await cluster.catchUp()
    await copy.down()
    // What is restored from a backup is nobody's standby.
    await rm(join(copy.dataDirectory, 'standby.signal'))
    await run(primary.urlOf(), emit(4_000_000), 'insert into t values (1)')
    await source.waitForKeys(['1'])
    await primary.down()
    await copy.up()
    await run(
      copy.urlOf(),
      `select pg_create_logical_replication_slot('${source.source.slot}', 'pgoutput')`,
    )
    cluster.leadToStandby()
    await source.become('needs_attention', /that was read from it: it is an older copy/)
    await acceptGap(storage, source.source.id, KEYS)
    await run(copy.urlOf(), 'insert into t values (2)')
    await source.waitForKeys(['1', '2'])
    expect(await source.keys()).toEqual(['1', '2'])
  })
})
