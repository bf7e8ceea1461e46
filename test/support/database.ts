import { randomBytes } from 'node:crypto'

import pg from 'pg'
import { inject, test as base } from 'vitest'

import { openDatabase, type Database } from '../../src/storage/database.ts'
import { TEMPLATE_NAME } from './global-setup.ts'

/** Runs one statement as the superuser of the test server. */
export async function runAdmin(sql: string): Promise<void> {
  const client = new pg.Client(inject('adminUrl'))
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

/** The URL of another database on the test server. */
export function urlOfDatabase(name: string): string {
  const url = new URL(inject('adminUrl'))
  url.pathname = name
  return url.href
}

/** A name for a database, slot or the like that no other test has. */
export function uniqueName(prefix = 'test'): string {
  return `${prefix}_${randomBytes(6).toString('hex')}`
}

interface Fixtures {
  /** A migrated storage of the test's own. */
  storage: Database
  /** An empty database of the test's own, to capture from. */
  shop: { url: string; name: string; query: pg.Client['query'] }
}

/** A migrated storage for as long as the callback takes. */
export async function withStorage(use: (storage: Database) => Promise<void>): Promise<void> {
  const name = uniqueName()
  await runAdmin(`create database ${name} template ${TEMPLATE_NAME}`)
  const database = openDatabase(urlOfDatabase(name))
  try {
    await use(database)
  } finally {
    await database.close()
    await runAdmin(`drop database ${name} with (force)`)
  }
}

async function useShop(use: (shop: Fixtures['shop']) => Promise<void>): Promise<void> {
  const name = uniqueName('shop')
  await runAdmin(`create database ${name}`)
  const url = urlOfDatabase(name)
  const client = new pg.Client(url)
  await client.connect()
  await use({ url, name, query: client.query.bind(client) })
  await client.end()
  await dropDatabaseWithSlots(name)
}

/** A test with databases of its own, dropped afterwards together with their slots. */
export const test = base.extend<Fixtures>({
  storage: ({}, use) => withStorage(use),
  shop: ({}, use) => useShop(use),
})

/** Tests that look at one thing from many sides: all of a file share the databases. */
export const testSharing = base.extend<Fixtures>({
  storage: [({}, use) => withStorage(use), { scope: 'file' }],
  shop: [({}, use) => useShop(use), { scope: 'file' }],
})

/** A database that was captured from: its slots first. */
export async function dropDatabaseWithSlots(name: string): Promise<void> {
  const client = new pg.Client(inject('adminUrl'))
  await client.connect()
  try {
    await client.query(
      `select pg_terminate_backend(active_pid, 10000) from pg_replication_slots
       where database = $1 and active_pid is not null`,
      [name],
    )
    const { rows } = await client.query<{ slot_name: string }>(
      'select slot_name from pg_replication_slots where database = $1',
      [name],
    )
    for (const { slot_name } of rows) {
      // Of a slot that another one has taken since, dropping the database says more.
      await client.query('select pg_drop_replication_slot($1)', [slot_name]).catch(() => undefined)
    }
    await client.query(`drop database ${name} with (force)`)
  } finally {
    await client.end()
  }
}
