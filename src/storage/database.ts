import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'

import type { Schema } from './schema-types.ts'

/** A pool or a transaction on the storage database. */
export type Db = Kysely<Schema>

export interface Database {
  /** For plain statements, through Kysely. */
  readonly db: Db
  /** The same pool, for prepared statements and COPY. */
  readonly pool: pg.Pool
  readonly url: string
  close(): Promise<void>
}

interface ConnectOptions {
  applicationName?: string
  connectionsMax?: number
}

const CONNECT_TIMEOUT_MS = 10_000
const STATEMENT_TIMEOUT_MS = 30_000

/**
 * Opens the storage database; connects lazily. Rows come back with `bigint` as a
 * string and timestamps as `Date`; nothing is rewritten.
 */
export function openDatabase(url: string, options: ConnectOptions = {}): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.connectionsMax ?? 10,
    application_name: options.applicationName ?? 'millrace',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    keepAlive: true,
    options: '-c timezone=UTC -c datestyle=ISO,YMD',
  })
  // A connection that breaks while idle is replaced on next use; without a
  // listener the event would end the process.
  pool.on('error', () => {})
  // The same of one that breaks between two statements of whoever holds it: the pool
  // does not listen then, and the next statement says what happened.
  pool.on('connect', (client) => client.on('error', () => {}))
  const db = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) })
  return { db, pool, url, close: () => db.destroy() }
}
