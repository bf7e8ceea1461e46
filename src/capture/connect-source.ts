import type { ConnectionOptions } from 'node:tls'

import pg from 'pg'

import type { SourceConnection, SslSettings } from './source-settings.ts'

const CONNECT_TIMEOUT_MS = 10_000
/** Longer than making a slot may take. */
const QUERY_TIMEOUT_MS = 30_000
const KEEPALIVE_DELAY_MS = 10_000
const NO_TLS = 'The server does not support SSL connections'

/**
 * The text forms that the codec expects, whatever role, database or server are set
 * to, and no limit of the role's on statements that run for as long as the stream.
 */
const SESSION_OPTIONS = [
  'datestyle=ISO,YMD',
  'timezone=UTC',
  'intervalstyle=iso_8601',
  'bytea_output=hex',
  'extra_float_digits=3',
  'xmloption=content',
  'quote_all_identifiers=off',
  // A publication that is missing is only warned of.
  'client_min_messages=warning',
  'statement_timeout=0',
  'idle_session_timeout=0',
]
  .map((setting) => `-c ${setting}`)
  .join(' ')

/** A connection to a source, and how another one like it is made. */
export interface ConnectedSource {
  readonly client: pg.Client
  readonly config: pg.ClientConfig
}

/**
 * Connects, with `prefer` first with TLS and then without. The answered config has
 * that settled, and goes for the replication connection as well.
 */
export async function connectSource(
  connection: SourceConnection,
  applicationName: string,
): Promise<ConnectedSource> {
  const config = clientConfig(connection, applicationName)
  try {
    return { client: await open(config), config }
  } catch (error) {
    const plainIsFine = connection.ssl.mode === 'prefer'
    if (!plainIsFine || !(error instanceof Error) || error.message !== NO_TLS) throw error
    const plain = { ...config, ssl: false }
    return { client: await open(plain), config: plain }
  }
}

async function open(config: pg.ClientConfig): Promise<pg.Client> {
  // Never on the replication connection, whose one query lasts as long as the stream.
  const client = new pg.Client({ ...config, query_timeout: QUERY_TIMEOUT_MS })
  // What breaks is noticed by the next query; without a listener it would end the process.
  client.on('error', () => {})
  try {
    await client.connect()
    return client
  } catch (error) {
    await client.end().catch(() => undefined)
    throw error
  }
}

function clientConfig(connection: SourceConnection, applicationName: string): pg.ClientConfig {
  return {
    host: connection.host,
    port: connection.port,
    database: connection.database,
    user: connection.user,
    // pg reads PGPASSWORD and the like when it is undefined.
    password: connection.password ?? '',
    ssl: tlsOptions(connection.ssl),
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_DELAY_MS,
    options: SESSION_OPTIONS,
  }
}

/** libpq's modes; pg gives some of them another meaning, from version to version. */
export function tlsOptions(ssl: SslSettings): ConnectionOptions | false {
  const ca = ssl.ca === undefined ? {} : { ca: ssl.ca }
  switch (ssl.mode) {
    case 'disable':
      return false
    case 'prefer':
      return { rejectUnauthorized: false }
    case 'require':
      // As in libpq: whoever names certificates wants them checked.
      if (ssl.ca === undefined) return { rejectUnauthorized: false }
      return { ...ca, rejectUnauthorized: true, checkServerIdentity: () => undefined }
    case 'verify-ca':
      return { ...ca, rejectUnauthorized: true, checkServerIdentity: () => undefined }
    default:
      return { ...ca, rejectUnauthorized: true }
  }
}
