import { describe, expect } from 'vitest'

import { acceptGap } from '../../src/capture/accept-gap.ts'
import type { Database } from '../../src/storage/database.ts'
import {
  dropDatabaseWithSlots,
  runAdmin,
  test as base,
  uniqueName,
  urlOfDatabase,
} from '../support/database.ts'
import { Proxy } from '../support/proxy.ts'
import { KEYS, run, WatchedSource, WatchedSources } from './watched-sources.ts'

const TABLE = 'create table t (id int primary key)'

interface Site {
  /** The one that comes to harm: its database, its role, and the proxy that it is read through. */
  sick: WatchedSource
  url: string
  role: string
  database: string
  proxy: Proxy
  /** Another source of the same process, which must notice nothing. */
  well: WatchedSource
}

const test = base.extend<{ site: Site }>({
  site: async ({ storage, shop }, use) => {
    const [role, database] = [uniqueName('role'), uniqueName('sick')]
    await runAdmin(`create role ${role} login replication password 'first'`)
    await runAdmin(`create database ${database} owner ${role}`)
    // A sender that hears nothing gives up soon, and so do we.
    await runAdmin(`alter database ${database} set wal_sender_timeout = '900ms'`)
    const url = new URL(urlOfDatabase(database))
    await run(
      url.href,
      `${TABLE}; create publication p for all tables; alter table t owner to ${role}`,
    )
    url.username = role
    url.password = 'first'
    await shop.query(TABLE)
    await using proxy = await Proxy.start(Number(url.port))
    await using sources = new WatchedSources(storage)
    const well = await sources.connect(shop.url)
    const sick = await sources.connect(proxy.through(url.href), { publication: 'p' })
    await use({ sick, well, role, database, url: urlOfDatabase(database), proxy })

    await shop.query('insert into t values (1)')
    await well.waitForKeys(['1'])
    expect(well.failures).toBe(0)
    await sources[Symbol.asyncDispose]()
    await dropDatabaseWithSlots(database).catch(() => undefined)
    await runAdmin(`drop role ${role}`)
  },
})

/** Ends the connections of the one reader, so that it has to make new ones. */
function disconnect({ database }: Site): Promise<void> {
  return runAdmin(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}'`,
  )
}

describe('a source is read again by itself', () => {
  test('when its backends were terminated', async ({ site }) => {
    await disconnect(site)
    await run(site.url, 'insert into t values (1)')
    await site.sick.waitForKeys(['1'])
    expect(site.sick.line('warn', /terminat/)).toBeDefined()
    expect(site.sick.failures).toBeGreaterThan(0)
  })

  test('when the network cuts its connections', async ({ site }) => {
    site.proxy.cut()
    await run(site.url, 'insert into t values (1)')
    await site.sick.waitForKeys(['1'])
    expect(site.sick.failures).toBeGreaterThan(0)
  })

  test('when the network is slow', async ({ site }) => {
    site.proxy.delay(30)
    await run(site.url, 'insert into t values (1)')
    await site.sick.waitForKeys(['1'])
    site.proxy.delay(0)
  })

  test('when its connection is half-open: nothing comes, and nobody says so', async ({ site }) => {
    site.proxy.hold()
    await site.sick.become('retrying', /silent/)
    expect(site.sick.line('warn', /silent/)).toBeDefined()
    await run(site.url, 'insert into t values (1)')
    site.proxy.cut()
    await site.sick.waitForKeys(['1'])
    await site.sick.become('healthy')
  })
})

describe('a source needs a person, and says what they have to do', () => {
  test('when its password was changed', async ({ site }) => {
    await runAdmin(`alter role ${site.role} password 'second'`)
    await disconnect(site)
    const { remedy } = await site.sick.become('needs_attention', /password/)
    expect(remedy).toContain(`check the password of role "${site.role}"`)
    expect(site.sick.line('error', /password/)?.fields).toMatchObject({ remedy })
    await runAdmin(`alter role ${site.role} password 'first'`)
    await site.sick.become('healthy')
  })

  test('when its role may not replicate any more', async ({ site }) => {
    await runAdmin(`alter role ${site.role} noreplication`)
    await disconnect(site)
    const { remedy } = await site.sick.become('needs_attention', /permission denied/)
    expect(remedy).toMatch(/^alter role .* replication;/)
    await runAdmin(remedy!)
    await site.sick.become('healthy')
  })

  test('when its role may not connect any more', async ({ site }) => {
    await runAdmin(`alter role ${site.role} nologin`)
    await disconnect(site)
    const { remedy } = await site.sick.become('needs_attention', /not permitted to log in/)
    expect(remedy).toContain(site.role)
    await runAdmin(`alter role ${site.role} login`)
    await site.sick.become('healthy')
  })

  test('when its database was renamed', async ({ site }) => {
    const other = uniqueName('renamed')
    await renameDatabase(site.database, other)
    const { remedy } = await site.sick.become('needs_attention', /does not exist/)
    expect(remedy).toContain(`database "${site.database}" is gone or has another name`)
    await renameDatabase(other, site.database)
    await run(site.url, 'insert into t values (1)')
    await site.sick.waitForKeys(['1'])
  })

  test('when its publication was dropped; from where to where is on record', async ({ site }) => {
    await run(site.url, 'drop publication p')
    const { remedy } = await site.sick.become('needs_attention', /publication "p" does not exist/)
    expect(remedy).toMatch(/^create publication "p"/)
    await run(
      site.url,
      'insert into t values (1)',
      'create publication p for all tables',
      'insert into t values (2)',
    )
    await site.sick.become('healthy')
    await site.sick.waitForKeys(['2'])
    const { gaps } = await site.sick.health()
    expect(gaps).toEqual([expect.objectContaining({ open: false })])
    expect(await site.sick.keys()).toEqual(['2'])
  })

  test('when its slot was dropped while it was read, and goes on only when told', async ({
    site,
    storage,
  }) => {
    const { slot } = site.sick.source
    await dropSlot(site.url, slot)
    const { remedy } = await site.sick.become('needs_attention', /the slot .* is gone/)
    const [makeSlot = '', then] = remedy!.split(' -- ')
    expect(then).toContain(`millrace sources accept-gap ${site.sick.source.name}`)
    await run(site.url, 'insert into t values (1)', makeSlot)
    await site.sick.become('needs_attention', /changes are missing/)
    await expectGapOnly(site, storage)
  })
})

/** Accepted, the gap is on record, and what comes behind it is read. */
async function expectGapOnly(site: Site, storage: Database): Promise<void> {
  const gap = await acceptGap(storage, site.sick.source.id, KEYS)
  await run(site.url, 'insert into t values (2)')
  await site.sick.become('healthy')
  await site.sick.waitForKeys(['2'])
  expect(await site.sick.keys()).toEqual(['2'])
  expect((await site.sick.health()).gaps).toEqual([gap])
}

/** The reader comes back at once: it is ended and outrun in one statement after the other, until it is. */
async function dropSlot(url: string, slot: string): Promise<void> {
  const take = `do $$ begin
    for round in 1..1000 loop
      begin
        perform pg_terminate_backend(active_pid, 1000) from pg_replication_slots
          where slot_name = '${slot}' and active_pid is not null;
        perform pg_drop_replication_slot('${slot}');
        return;
      exception when object_in_use then null;
      end;
    end loop;
    raise 'the slot was never free';
  end $$`
  await run(url, take)
}

async function renameDatabase(from: string, to: string): Promise<void> {
  await runAdmin(`alter database ${from} allow_connections false`)
  await runAdmin(
    `select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '${from}'`,
  )
  await runAdmin(`alter database ${from} rename to ${to}`)
  await runAdmin(`alter database ${to} allow_connections true`)
}
