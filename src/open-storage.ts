import { setTimeout as delay } from 'node:timers/promises'

import type { Logger } from './log.ts'
import { checkStorage, type StorageCheck } from './storage/check-storage.ts'
import { openDatabase, type Database } from './storage/database.ts'
import { isPoolerRefusal } from './storage/find-pooler.ts'

const RETRY_MS_MIN = 250
const RETRY_MS_MAX = 5000

/**
 * Waiting does not mend these: who logs in, where to, and what they may do; a file of
 * certificates that is not there; a certificate that is not what the URL asks for.
 */
const FINAL_CODES = /^(28|3D|42|ERR_TLS|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO)/
/** Of pg, without a code. */
const FINAL_MESSAGES = /does not support SSL connections|requires specifying a CA/
/** These may be better in a moment. */
const PASSING_CHECKS: readonly StorageCheck['name'][] = ['reachable', 'connections']

/**
 * Opens the storage and waits, for as long as it takes, until it answers.
 * @throws UnfitStorageError where waiting is of no use; what `signal` was aborted with
 */
export async function openStorage(
  url: string,
  logger: Logger,
  signal?: AbortSignal,
): Promise<Database> {
  const database = openDatabase(url)
  try {
    await waitForAnswer(database, logger, signal)
    await refuseUnlessFit(database)
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
      await pool.query('select')
      return
    } catch (error) {
      const reason = describeFailure(error)
      if (isFinal(error)) {
        throw new UnfitStorageError(`the storage at ${place} refuses: ${reason}`, { cause: error })
      }
      logger.warn(`the storage at ${place} does not answer; waiting for it`, { reason })
      await delay(retryMs, undefined, signal ? { signal } : {})
    }
  }
}

async function refuseUnlessFit(database: Database): Promise<void> {
  const failed = (await checkStorage(database)).filter(
    ({ name, status }) => status === 'fail' && !PASSING_CHECKS.includes(name),
  )
  if (failed.length === 0) return
  const place = describePlace(database.url)
  const lines = failed.map(({ detail, sql }) =>
    sql === null ? detail : `${detail}; run there: ${sql.replaceAll('\n', ' ')}`,
  )
  throw new UnfitStorageError(
    lines.map((line) => `the storage at ${place} cannot be used: ${line}`).join('\n'),
  )
}

/** What `MILLRACE_STORAGE_URL` names is no storage for us; a line for each reason. */
export class UnfitStorageError extends Error {
  override readonly name = 'UnfitStorageError'
}

function isFinal(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code = '', syscall } = error as NodeJS.ErrnoException
  const isFinalText = FINAL_MESSAGES.test(error.message) || isPoolerRefusal(error)
  return FINAL_CODES.test(code) || isFinalText || syscall === 'open'
}

function describeFailure(error: unknown): string {
  // A host with several addresses fails with one error for each, and no message.
  if (error instanceof AggregateError) return error.errors.map(describeFailure).join('; ')
  if (isPoolerRefusal(error)) {
    return `${error.message}: a pooler answers there; use the direct port of Postgres, or let its session mode pass that (ignore_startup_parameters of PgBouncer)`
  }
  return error instanceof Error ? error.message : String(error)
}

function describePlace(url: string): string {
  const { hostname, port, pathname } = new URL(url)
  return `${hostname || 'localhost'}:${port || '5432'}${pathname}`
}
