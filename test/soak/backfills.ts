import { setTimeout as sleep } from 'node:timers/promises'

import pg from 'pg'

import type { Random } from '../support/random.ts'
import { SOAK_TABLES } from './tables.ts'

const END_MS_MAX = 120_000

/**
 * Asks for a table to be read again, as the API does. What is in the log by then is what the
 * table holds: so each row that is read must be the very one that the replay has at that place.
 */
export async function askForBackfill(url: string, random: Random): Promise<void> {
  const table = random.pick(SOAK_TABLES)
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query(
      `insert into millrace.backfill (source_no, table_schema, table_name)
       select source_no, 'public', $1 from millrace.source on conflict do nothing`,
      [table.name],
    )
  } catch {
    // The storage is down just now, or cut off.
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** Answers how many there were, and what became of those that were not done. */
export async function awaitBackfills(
  storage: pg.Client,
): Promise<{ count: number; problems: string[] }> {
  const startedAt = performance.now()
  for (;;) {
    const { rows } = await storage.query<{ state: string; table: string; error: string | null }>(
      'select state, table_name as table, error from millrace.backfill',
    )
    const open = rows.filter(({ state }) => state === 'pending' || state === 'running')
    if (open.length === 0 || performance.now() - startedAt > END_MS_MAX) {
      const problems = rows
        .filter(({ state }) => state !== 'done')
        .map(({ state, table, error }) => `the backfill of ${table} is ${state}: ${error}`)
      return { count: rows.length, problems }
    }
    await sleep(50)
  }
}
