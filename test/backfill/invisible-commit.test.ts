import pg from 'pg'
import { describe, expect } from 'vitest'

import { BackfillRunner } from '../../src/backfill/backfill-runner.ts'
import { describeTable } from '../../src/backfill/describe-table.ts'
import { readPage, type ReadPage } from '../../src/backfill/read-page.ts'
import type { SessionHandles } from '../../src/capture/capture-session.ts'
import { readTypes } from '../../src/capture/read-catalogue.ts'
import { planRows } from '../../src/capture/pgoutput/row-plan.ts'
import { Capture, makeSource, until, type Shop } from '../capture/capture-harness.ts'
import { test as base } from '../support/database.ts'
import { RestartablePostgres } from '../support/restartable-postgres.ts'
import { findBackfill, givenBackfill, untilEnded } from './harness.ts'

interface Site {
  shop: Shop
  /** Updates the one row of `t`; committed in the WAL, it waits for a standby that there is not. */
  changeUnseen: () => Promise<void>
  /** Nobody waits for the standby any more. */
  release: () => Promise<void>
}

/** A server whose sessions wait for a standby when they are told to. */
const test = base.extend<{ site: Site }>({
  site: async ({}, use) => {
    await using postgres = await RestartablePostgres.start()
    const url = postgres.urlOf()
    const client = new pg.Client({ connectionString: url, options: '-c synchronous_commit=local' })
    await client.connect()
    await client.query('alter role postgres set synchronous_commit = local')
    await client.query(
      'create table t (id int primary key, v text); insert into t values (1, $$old$$)',
    )
    await waitForStandby(client, 'nobody')
    const waiter = new pg.Client({ connectionString: url, options: '-c synchronous_commit=on' })
    await waiter.connect()
    let waiting: Promise<unknown> | undefined
    await use({
      shop: { url, name: 'postgres', query: client.query.bind(client) },
      async changeUnseen() {
        waiting = waiter.query(`update t set v = 'new'`)
        await until(async () => {
          const { rowCount } = await client.query(
            `select from pg_stat_activity where wait_event = 'SyncRep'`,
          )
          return rowCount === 1
        })
      },
      async release() {
        await waitForStandby(client, '')
        await waiting
      },
    })
    await waiter.end()
    await client.end()
  },
})

/** From now on commits wait for a standby of that name; '': for none. */
async function waitForStandby(client: pg.Client, name: string): Promise<void> {
  await client.query(`alter system set synchronous_standby_names = '${name}'`)
  await client.query('select pg_reload_conf()')
  await until(async () => {
    const { rows } = await client.query<{ now: string }>(
      `select current_setting('synchronous_standby_names') as now`,
    )
    return rows[0]!.now === name
  })
}

/** One page of `t`, as the runner reads it. */
async function readOnePage(shop: Shop, publication: string, { catalogue }: SessionHandles) {
  const client = new pg.Client(shop.url)
  await client.connect()
  const table = await describeTable(client, publication, { schema: 'public', table: 't' })
  const oids = table.message.columns.map(({ typeOid }) => typeOid)
  catalogue.add(oids, await readTypes(client, oids))
  const plan = planRows(table.message, catalogue, table.primaryKey)
  const choice = { predicate: null, fromKey: null, position: null }
  return {
    table,
    read: () => readPage(client, publication, table, plan, choice, 10),
    end: () => client.end(),
    asPage: (page: ReadPage) => ({
      ...page,
      message: table.message,
      plan,
      recipientNo: null,
      settle: () => null,
    }),
  }
}

describe('a change that is streamed before other sessions can see it', () => {
  test('makes a page void that does not show it', async ({ storage, site }) => {
    const { shop } = site
    const source = await makeSource(storage, shop)
    let handles: SessionHandles | undefined
    await using capture = new Capture(storage, source, {
      companion: (lent) => {
        handles = lent
        return { start() {}, stop: async () => {} }
      },
    })
    await until(() => handles !== undefined)
    const { window } = handles!
    const reading = await readOnePage(shop, source.publication, handles!)
    // Nothing newer has ended when the page is read: the change is in no list of running ones.
    await site.changeUnseen()
    await capture.waitFor(1)

    window.open(reading.table.oid)
    const before = await reading.read()
    const mayUseBefore = window.hold(reading.asPage(before))
    await site.release()
    window.open(reading.table.oid)
    const after = await reading.read()
    const mayUseAfter = window.hold(reading.asPage(after))
    await reading.end()

    expect(before.rows.map(({ record }) => record)).toEqual(['{"id":1,"v":"old"}'])
    expect(mayUseBefore).toBe(false)
    expect(after.rows.map(({ record }) => record)).toEqual(['{"id":1,"v":"new"}'])
    expect(mayUseAfter).toBe(true)
  })

  test('holds up a backfill that a later session begins', async ({ storage, site }) => {
    const { shop } = site
    const source = await makeSource(storage, shop)
    {
      await using former = new Capture(storage, source)
      await site.changeUnseen()
      await former.waitFor(1)
      // It is confirmed too: no later session hears of it.
      await until(async () => {
        const { rowCount } = await shop.query(
          `select from pg_replication_slots
           where slot_name = $1 and confirmed_flush_lsn > $2::pg_lsn`,
          [source.slot, `0/${BigInt(former.entries[0]!.commitLsn).toString(16)}`],
        )
        return rowCount === 1
      })
    }
    const no = await givenBackfill(storage, source, { table: 't' })
    await using capture = new Capture(storage, source, {
      companion: (handles) => new BackfillRunner(handles, { pollMs: 20 }),
    })
    await until(async () => {
      const { rowCount } = await shop.query(
        `select from pg_stat_activity where wait_event = 'SyncRep' and application_name like 'millrace%'`,
      )
      return rowCount === 1
    })
    expect(await findBackfill(storage, no)).toMatchObject({ state: 'pending', rows_read: '0' })
    await site.release()
    await untilEnded(storage, no)
    const [read] = await capture.waitFor(1)
    expect(read).toMatchObject({ action: 'read', record: '{"id":1,"v":"new"}' })
  })
})
