import { setTimeout as delay } from 'node:timers/promises'

import type { Logger } from './log.ts'
import { openDatabase, type Database } from './storage/database.ts'

const RETRY_MS_MIN = 250
const RETRY_MS_MAX = 5000
const VERSION_MIN = 140_000

/** Waiting does not mend these: who logs in, where to, and what they may do. */
const FINAL_CODES = /^(28|3D|42)/

/**
 * Opens the storage and waits, for as long as it takes, until it answers.
 * @throws Error where waiting is of no use, and when `signal` aborts
 */
export async function openStorage(
  url: string,
  logger: Logger,
  signal?: AbortSignal,
): Promise<Database> {
  const database = openDatabase(url)
  try {
    await waitForAnswer(database, logger, signal)
    return database
  } catch (error) {
    await database.close()
    throw error
  }
}

async function waitForAnswer(
  { pool, url }: Database,
  logger: Logger,
  signal: AbortSignal | undefined,
): Promise<void> {
  const place = describePlace(url)
  for (let retryMs = RETRY_MS_MIN; ; retryMs = Math.min(retryMs * 2, RETRY_MS_MAX)) {
    signal?.throwIfAborted()
    try {
      const { rows } = await pool.query<{ version: number }>(
        "select current_setting('server_version_num')::int as version",
      )
      const version = rows[0]?.version ?? 0
      if (version >= VERSION_MIN) return
      throw new UnfitStorageError(
        `the storage at ${place} is Postgres ${Math.floor(version / 10_000)}; 14 or newer is needed`,
      )
    } catch (error) {
      const reason = describeFailure(error)
      if (error instanceof UnfitStorageError) throw error
      if (isFinal(error)) {
        throw new UnfitStorageError(`the storage at ${place} refuses: ${reason}`, { cause: error })
      }
      logger.warn(`the storage at ${place} does not answer; waiting for it`, { reason })
      await delay(retryMs, undefined, signal ? { signal } : {})
    }
  }
}

/** The storage is there, and is not one that can be used. */
export class UnfitStorageError extends Error {
  override readonly name = 'UnfitStorageError'
}

function isFinal(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    FINAL_CODES.test(error.code)
  )
}

function describeFailure(error: unknown): string {
  // A host with several addresses fails with one error for each, and no message.
  if (error instanceof AggregateError) return error.errors.map(describeFailure).join('; ')
  return error instanceof Error ? error.message : String(error)
}

function describePlace(url: string): string {
  const { hostname, port, pathname } = new URL(url)
  return `${hostname || 'localhost'}:${port || '5432'}${pathname}`
}
