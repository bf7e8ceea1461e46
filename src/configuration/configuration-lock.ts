import { setTimeout as delay } from 'node:timers/promises'

import { MillraceError } from '../errors.ts'
import type { Database } from '../storage/database.ts'

/** Any number that no other lock of the storage has. */
const LOCK_KEY = 7_310_402_255
const WAIT_MS_MAX = 60_000
const RETRY_MS = 100

/**
 * Works while no other process applies a configuration to the same storage: those that
 * start together with one file take turns, and the later ones find nothing to do.
 * @throws MillraceError `conflict` after a minute of waiting
 */
export async function holdConfigurationLock<T>(
  { pool }: Database,
  work: () => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  try {
    const startedAt = performance.now()
    const tryLock = async (): Promise<boolean> => {
      const sql = 'select pg_try_advisory_lock($1) as held'
      const { rows } = await client.query<{ held: boolean }>(sql, [LOCK_KEY])
      return rows[0]!.held
    }
    while (!(await tryLock())) {
      if (performance.now() - startedAt > WAIT_MS_MAX) {
        throw new MillraceError('conflict', 'Another configuration is being applied; try again.')
      }
      await delay(RETRY_MS)
    }
    try {
      return await work()
    } finally {
      await client.query('select pg_advisory_unlock($1)', [LOCK_KEY])
    }
  } finally {
    client.release()
  }
}
