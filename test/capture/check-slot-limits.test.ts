import pg from 'pg'
import { describe, expect } from 'vitest'

import { checkSlotLimits, type SlotUse } from '../../src/capture/check-slot-limits.ts'
import { checkSource } from '../../src/capture/check-source.ts'
import type { SourceCheck } from '../../src/capture/source-check.ts'
import { test as base } from '../support/database.ts'
import { RestartablePostgres } from '../support/restartable-postgres.ts'
import { connectionOf, until } from './capture-harness.ts'

const SLOT = 'idle'

interface Server {
  client: pg.Client
  major: number
  look(name: string): Promise<SourceCheck>
  /** As an operator does: statement by statement. */
  mend(check: SourceCheck): Promise<void>
}

/** A server of the test's own, whose settings it may change, with a slot that nobody reads. */
const test = base.extend<{ server: Server }>({
  server: async ({}, use) => {
    await using postgres = await RestartablePostgres.start()
    const client = new pg.Client(postgres.urlOf())
    await client.connect()
    await client.query(`select pg_create_logical_replication_slot('${SLOT}', 'pgoutput')`)
    const { rows } = await client.query<{ major: number }>(
      `select current_setting('server_version_num')::int / 10000 as major`,
    )
    const target = { slot: SLOT, publication: 'p', tables: null, create: true }
    const connection = connectionOf({ url: postgres.urlOf() })
    await use({
      client,
      major: rows[0]!.major,
      async look(name) {
        const checks = await checkSource(connection, target)
        return checks.find((check) => check.name === name)!
      },
      async mend({ sql }) {
        for (const statement of sql!.split('\n')) await client.query(statement)
      },
    })
    await client.end()
  },
})

async function alter({ client }: Server, setting: string): Promise<void> {
  await client.query(`alter system set ${setting}`)
  await client.query('select pg_reload_conf()')
}

/** A change of settings takes effect a moment later. */
async function lookUntil(server: Server, name: string, status: string): Promise<SourceCheck> {
  let check = await server.look(name)
  await until(async () => (check = await server.look(name)).status === status)
  return check
}

describe('the checks of a source', () => {
  test('warn of a timeout that ends idle slots, and the SQL ends the timeout', async ({
    server,
  }) => {
    expect(await server.look('idle_slot_timeout')).toMatchObject({ status: 'pass', sql: null })
    // Postgres 18 brought it.
    if (server.major < 18) return
    await alter(server, `idle_replication_slot_timeout = '36h'`)
    const warned = await lookUntil(server, 'idle_slot_timeout', 'warn')
    expect(warned.detail).toContain('idle_replication_slot_timeout is 36h')
    expect(warned.detail).toContain(`"${SLOT}"`)
    await server.mend(warned)
    await lookUntil(server, 'idle_slot_timeout', 'pass')
  })

  test('warn of WAL without a limit, and of a limit that is near', async ({ server }) => {
    const unlimited = await server.look('slot_wal_limit')
    expect(unlimited).toMatchObject({ status: 'warn' })
    expect(unlimited.detail).toContain('max_slot_wal_keep_size is -1')
    await server.mend(unlimited)
    const limited = await lookUntil(server, 'slot_wal_limit', 'pass')
    expect(limited.detail).toMatch(/is 51200 MB: .* \(reserved\) is 512\d\d MB away from it/)

    await alter(server, `max_slot_wal_keep_size = '128MB'`)
    await until(async () => {
      await server.client.query(`select pg_logical_emit_message(false, '', repeat('x', 4000000))`)
      return (await server.look('slot_wal_limit')).status === 'warn'
    })
    const near = await server.look('slot_wal_limit')
    expect(near.detail).toMatch(/is 128 MB: .* is (2\d|3[01]) MB away from it/)
    await server.mend(near)
    const mended = await lookUntil(server, 'slot_wal_limit', 'pass')
    expect(mended.detail).toContain('is 256 MB')
  })

  test('tell how many transactions the slot holds back', async ({ server }) => {
    for (let count = 0; count < 20; count++)
      await server.client.query('select pg_current_xact_id()')
    const { status, detail } = await server.look('catalog_xmin_age')
    expect(status).toBe('pass')
    expect(Number(/last (\d+) transactions/.exec(detail)?.[1])).toBeGreaterThanOrEqual(20)
  })

  test('warn of a slot that holds back too many, with what does so', async ({ shop }) => {
    const look = (use: Partial<SlotUse>): SourceCheck =>
      checkSlotLimits(
        { idle_timeout: null, wal_keep_mb: -1 },
        { active: true, wal_status: 'reserved', safe_wal_size: null, catalog_xmin_age: 0, ...use },
        SLOT,
      ).at(-1)!
    expect(look({ catalog_xmin_age: 200_000_000 }).status).toBe('pass')
    const read = look({ catalog_xmin_age: 200_000_001 })
    expect(read).toMatchObject({ name: 'catalog_xmin_age', status: 'warn' })
    expect(read.detail).toMatch(/last 200000001 transactions .* a transaction that is open/)
    for (const statement of read.sql!.split('\n')) await shop.query(statement)

    const unread = look({ catalog_xmin_age: 200_000_001, active: false })
    expect(unread.detail).toContain('Nobody reads it')
    expect(unread.sql).toContain(`pg_drop_replication_slot('${SLOT}')`)
  })
})
