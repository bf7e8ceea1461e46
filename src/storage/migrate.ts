import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'

import type pg from 'pg'

import type { Database } from './database.ts'

const MIGRATIONS_DIRECTORY = new URL('./migrations/', import.meta.url)

/** Any constant will do; it must only differ from other programs' advisory locks. */
const MIGRATION_LOCK = '5571637291637004'

interface Migration {
  name: string
  sql: string
  sha256: string
}

/**
 * Brings the storage up to date and answers the names of what was applied.
 * Any number of processes may call it at once: one applies, the others wait.
 */
export async function migrate(database: Pick<Database, 'pool'>): Promise<string[]> {
  const migrations = await readMigrations()
  const client = await database.pool.connect()
  try {
    // A migration may take longer than a statement of the running service should.
    await client.query('set statement_timeout = 0')
    await client.query(`select pg_advisory_lock(${MIGRATION_LOCK})`)
    try {
      return await applyMissing(client, migrations)
    } finally {
      await client.query(`select pg_advisory_unlock(${MIGRATION_LOCK})`)
    }
  } finally {
    // The connection's settings were changed: it does not go back to the pool.
    client.release(true)
  }
}

async function applyMissing(client: pg.PoolClient, migrations: Migration[]): Promise<string[]> {
  await client.query(`
    create schema if not exists millrace;
    create table if not exists millrace.migration (
      name text primary key,
      sha256 text not null,
      applied_at timestamptz not null default now()
    )`)
  const { applied, unknown } = await compareMigrations(client, migrations)
  if (unknown !== undefined) {
    throw new Error(
      `the storage was migrated by a newer Millrace (it has "${unknown}"); start that version, or restore an older backup`,
    )
  }

  const done: string[] = []
  for (const { name, sql, sha256 } of migrations) {
    const known = applied.get(name)
    if (known === sha256) continue
    if (known !== undefined) {
      throw new Error(`migration "${name}" was changed after it was applied to this storage`)
    }
    await client.query('begin')
    try {
      await client.query(sql)
      await client.query('insert into millrace.migration (name, sha256) values ($1, $2)', [
        name,
        sha256,
      ])
      await client.query('commit')
    } catch (error) {
      await client.query('rollback')
      throw new Error(`migration "${name}" failed`, { cause: error })
    }
    done.push(name)
  }
  return done
}

/** What of the migrations this storage has, and the first that only a newer Millrace knows. */
async function compareMigrations(
  client: Pick<pg.PoolClient, 'query'>,
  migrations: readonly Migration[],
): Promise<{ applied: Map<string, string>; unknown: string | undefined }> {
  const { rows } = await client.query<{ name: string; sha256: string }>(
    'select name, sha256 from millrace.migration order by name',
  )
  const unknown = rows.find((row) => !migrations.some(({ name }) => name === row.name))
  return { applied: new Map(rows.map((row) => [row.name, row.sha256])), unknown: unknown?.name }
}

/** The names of what `migrate` would apply, and of the first that only a newer Millrace knows. */
export async function findPendingMigrations({
  pool,
}: Pick<Database, 'pool'>): Promise<{ pending: string[]; unknown: string | undefined }> {
  const migrations = await readMigrations()
  const { rows } = await pool.query<{ is_there: boolean }>(
    "select to_regclass('millrace.migration') is not null as is_there",
  )
  if (!rows[0]?.is_there) return { pending: migrations.map(({ name }) => name), unknown: undefined }
  const { applied, unknown } = await compareMigrations(pool, migrations)
  const pending = migrations.filter(({ name }) => !applied.has(name)).map(({ name }) => name)
  return { pending, unknown }
}

async function readMigrations(): Promise<Migration[]> {
  const files = await readdir(MIGRATIONS_DIRECTORY)
  const names = files.filter((name) => name.endsWith('.sql')).toSorted()
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(new URL(name, MIGRATIONS_DIRECTORY), 'utf8')
      return { name, sql, sha256: createHash('sha256').update(sql).digest('hex') }
    }),
  )
}
