import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { startEmbeddedPostgres } from '../../src/embedded/postgres.ts'

export { findFreePort } from '../../src/embedded/free-port.ts'

export interface TestPostgres {
  /** A superuser's URL of database `postgres`. */
  readonly url: string
  readonly port: number
  /** Stops the server and removes its data. */
  stop(): Promise<void>
}

/**
 * A throw-away Postgres with logical replication on a free port. Durable
 * commits are off unless `durable`: tests that kill Postgres itself need them.
 */
export async function startPostgres(
  options: { durable?: boolean; settings?: Record<string, string>; packageEntry?: string } = {},
): Promise<TestPostgres> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-test-'))
  // As root the server runs as another user, who must get to its data.
  await chmod(directory, 0o755)
  const server = await startEmbeddedPostgres({
    directory: join(directory, 'data'),
    password: 'postgres',
    ...(options.packageEntry === undefined ? {} : { packageEntry: options.packageEntry }),
    settings: {
      max_connections: '300',
      shared_buffers: '64MB',
      ...(options.durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
      ...options.settings,
    },
  })
  return {
    url: server.urlOf(),
    port: server.port,
    async stop() {
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
