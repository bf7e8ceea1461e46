import pg from 'pg'

import { findPooler } from '../storage/find-pooler.ts'
import type { ConnectedSource } from './connect-source.ts'

const TIMEOUT_MS = 5_000

/** What a person does about a pooler that a source cannot be captured through. */
export const DIRECT_PORT = 'use the direct port of Postgres in place of the pooler'

export const goDirect = ({ name }: { readonly name: string }): string =>
  `${DIRECT_PORT}: update source "${name}"`

/**
 * Why a source cannot be captured through the pooler that its address leads to; null: it can,
 * or there is none. Values would come in other texts than the codec expects where the settings
 * of a session get lost, and without a word.
 */
export async function findPoolerFault({ client, config }: ConnectedSource): Promise<string | null> {
  const pooler = await findPooler(client, config)
  if (pooler === 'none') return null
  if (pooler === 'transaction') {
    return 'a pooler in transaction mode answers: settings and locks of a session get lost'
  }
  const { rows } = await client.query<{ style: string }>(
    `select current_setting('intervalstyle') as style`,
  )
  if (rows[0]!.style !== 'iso_8601') {
    return 'a pooler answers that drops the settings of a connection (such as PgBouncer with "options" in ignore_startup_parameters)'
  }
  const refusal = await findReplicationRefusal(config)
  return refusal === null ? null : `a pooler answers that lets no replication through: ${refusal}`
}

async function findReplicationRefusal(config: pg.ClientConfig): Promise<string | null> {
  const options = { ...config, connectionTimeoutMillis: TIMEOUT_MS, query_timeout: TIMEOUT_MS }
  const client = new pg.Client({ ...options, replication: 'database' } as pg.ClientConfig)
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('IDENTIFY_SYSTEM')
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    await client.end().catch(() => undefined)
  }
}
