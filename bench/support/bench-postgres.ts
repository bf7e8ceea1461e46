import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import pg from 'pg'

import { startEmbeddedPostgres } from '../../src/embedded/postgres.ts'

/** The Postgres that all competitors of a run share, with durable commits. */
export interface BenchPostgres {
  /** A superuser's. */
  readonly admin: pg.Client
  readonly description: string
  /** Makes an empty database and answers its URL; dropped in the end. */
  createDatabase(purpose: string): Promise<string>
  stop(): Promise<void>
}

const SETTINGS = {
  shared_buffers: '256MB',
  // Checkpoints in the middle of a short measurement would be luck.
  max_wal_size: '8GB',
  checkpoint_timeout: '30min',
  max_connections: '400',
}

/** Starts one, or uses the one at `url`. */
export async function openBenchPostgres(url: string | undefined): Promise<BenchPostgres> {
  const server = url === undefined ? await startOwn() : { url, stop: () => Promise.resolve() }
  const admin = new pg.Client(server.url)
  await admin.connect()
  const { rows } = await admin.query<{ version: string; fsync: string }>(
    `select current_setting('server_version') as version, current_setting('fsync') as fsync`,
  )
  const names: string[] = []
  return {
    admin,
    description: `Postgres ${rows[0]!.version} (${url === undefined ? 'embedded' : 'given'}, fsync ${rows[0]!.fsync})`,
    async createDatabase(purpose) {
      const name = `bench_${purpose}_${randomBytes(4).toString('hex')}`
      await admin.query(`create database ${name}`)
      names.push(name)
      const made = new URL(server.url)
      made.pathname = name
      return made.href
    },
    async stop() {
      // Those of a Postgres of our own go with it.
      if (url !== undefined) for (const name of names) await dropDatabase(admin, name)
      await admin.end()
      await server.stop()
    },
  }
}

async function startOwn(): Promise<{ url: string; stop(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
  // As root the server runs as another user, who must get to its data.
  await chmod(directory, 0o755)
  const server = await startEmbeddedPostgres({
    directory: join(directory, 'data'),
    password: 'postgres',
    settings: SETTINGS,
  })
  return {
    url: server.urlOf(),
    async stop() {
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function dropDatabase(admin: pg.Client, name: string): Promise<void> {
  await admin.query(
    `select pg_terminate_backend(active_pid, 5000) from pg_replication_slots
     where database = $1 and active`,
    [name],
  )
  await admin.query(
    'select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = $1',
    [name],
  )
  await admin.query(`drop database ${name} with (force)`)
}
