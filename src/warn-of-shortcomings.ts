import type { Config } from './config.ts'
import type { Logger } from './log.ts'
import { checkStorage } from './storage/check-storage.ts'
import type { Database } from './storage/database.ts'

/** Says at start what does not stop a server from running, and will be missed later. */
export async function warnOfShortcomings(
  database: Database,
  { secretKey, adminToken, roles }: Config,
  logger: Logger,
): Promise<void> {
  for (const { status, detail, sql } of await checkStorage(database, secretKey !== undefined)) {
    if (status !== 'pass') logger.warn(detail, sql === null ? {} : { sql })
  }
  if (!roles.has('api') || adminToken !== undefined) return
  const { rows } = await database.pool.query<{ has_token: boolean }>(
    'select exists (select from millrace.token where revoked_at is null) as has_token',
  )
  if (rows[0]?.has_token) return
  logger.warn('there is no token: nobody can use the API until MILLRACE_ADMIN_TOKEN is set')
}
