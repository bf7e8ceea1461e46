import pg from 'pg'

import { FLUSH_TIMEOUT_MS } from './flush-loop.ts'
import { toStorageError } from './of-storage.ts'

/** A connection that writes to the log, and nothing else; `onError` hears when it breaks. */
export async function connectStorage(
  url: string,
  applicationName: string,
  onError: (error: unknown) => void,
): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    application_name: applicationName,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    statement_timeout: FLUSH_TIMEOUT_MS,
    options: '-c timezone=UTC -c datestyle=ISO,YMD',
  })
  client.on('error', (error) => onError(toStorageError(error)))
  try {
    await client.connect()
    return client
  } catch (error) {
    await client.end().catch(() => undefined)
    throw error
  }
}
