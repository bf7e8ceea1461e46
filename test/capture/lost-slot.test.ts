import pg from 'pg'
import { expect } from 'vitest'

import { acceptGap } from '../../src/capture/accept-gap.ts'
import { test } from '../support/database.ts'
import { Proxy } from '../support/proxy.ts'
import { RestartablePostgres } from '../support/restartable-postgres.ts'
import { KEYS, run, WatchedSources } from './watched-sources.ts'

const TABLE = 'create table t (id int primary key)'

/** Writes WAL that nobody reads, until the source keeps no more of it. */
async function outrun(url: string, slot: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  for (;;) {
    await client.query(`select pg_logical_emit_message(true, 'noise', repeat('x', 1000000))`)
    await client.query('select pg_switch_wal()')
    await client.query('checkpoint')
    const { rows } = await client.query<{ status: string }>(
      'select wal_status as status from pg_replication_slots where slot_name = $1',
      [slot],
    )
    if (rows[0]!.status === 'lost') break
  }
  await client.end()
}

test('a slot that the source has outrun needs a person, and the gap is on record', async ({
  storage,
  shop,
}) => {
  await using postgres = await RestartablePostgres.start({ max_slot_wal_keep_size: '1MB' })
  const url = postgres.urlOf()
  await run(url, TABLE)
  await shop.query(TABLE)
  await using proxy = await Proxy.start(postgres.port)
  await using sources = new WatchedSources(storage)
  const well = await sources.connect(shop.url)
  const sick = await sources.connect(proxy.through(url))
  const { slot } = sick.source
  await run(url, 'insert into t values (1)')
  await sick.waitForKeys(['1'])

  // The network is away for too long.
  proxy.hold()
  await run(url, 'insert into t values (2)')
  await outrun(url, slot)
  proxy.cut()
  const { remedy } = await sick.become('needs_attention', /was invalidated/)
  expect(sick.line('error', /was invalidated/)?.fields).toMatchObject({ remedy })
  expect((await sick.health()).slot).toMatchObject({ walStatus: 'lost', active: false })

  const [makeAnew = '', then] = remedy!.split(' -- ')
  expect(then).toContain(`millrace sources accept-gap ${sick.source.name}`)
  await run(url, makeAnew)
  await sick.become('needs_attention', /changes are missing: stored up to/)
  const gap = await acceptGap(storage, sick.source.id, KEYS)
  await run(url, 'insert into t values (3)')
  await sick.become('healthy')
  await sick.waitForKeys(['1', '3'])
  expect(await sick.keys()).toEqual(['1', '3'])
  expect((await sick.health()).gaps).toEqual([gap])

  await shop.query('insert into t values (1)')
  await well.waitForKeys(['1'])
  expect(well.failures).toBe(0)
})
