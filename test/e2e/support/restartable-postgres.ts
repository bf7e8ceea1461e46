import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { startEmbeddedPostgres } from '../../../src/embedded/postgres.ts'

/** A durable Postgres of the test's own, that can be restarted where it is. */
export async function startRestartablePostgres() {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-history-'))
  // As root the server runs as another user, who must get to its data.
  await chmod(directory, 0o755)
  const start = (port: number) =>
    startEmbeddedPostgres({
      directory: join(directory, 'data'),
      password: 'postgres',
      port,
      // An immediate stop would lose claims that commit asynchronously, which is allowed.
      stopMsMax: 30_000,
    })
  let server = await start(0)
  return {
    urlOf: (database: string) => server.urlOf(database),
    async restart(): Promise<void> {
      await server.stop()
      const { port } = server
      server = await start(port)
      if (server.port !== port) throw new Error(`port ${port} was taken meanwhile`)
    },
    async stop(): Promise<void> {
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
