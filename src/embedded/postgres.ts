import pg from 'pg'

import { EmbeddedPostgresError } from './embedded-postgres-error.ts'
import { findFreePort } from './free-port.ts'
import { findLeftOverServer, stopLeftOverServer } from './left-over-server.ts'
import { findPostgresAccount, type PostgresAccount } from './postgres-account.ts'
import { findPostgresBinaries } from './postgres-binaries.ts'
import { createCluster, SUPERUSER } from './postgres-cluster.ts'
import { findPostgresPlace, type PostgresPlace } from './postgres-place.ts'
import { HOST, startPostgresProcess, type PostgresProcess } from './postgres-process.ts'

export interface EmbeddedPostgresOptions {
  /** Where the data is kept. */
  directory: string
  /** The superuser's, for the life of the data. */
  password: string
  /** Another is taken where this one is not free; 0 or absent: any. */
  port?: number
  /** Configuration parameters beside those that are always set. */
  settings?: Readonly<Record<string, string>>
  /** After so long a stop becomes an immediate one; the next start recovers. */
  stopMsMax?: number
  /** A file of another installed `embedded-postgres`, for another major; absent: ours. */
  packageEntry?: string
  /** Gives up starting; nothing of it runs on. */
  signal?: AbortSignal
  /** Called when the server ends though nobody stopped it, with the end of its log. */
  onCrash?: (log: string) => void
}

export interface EmbeddedPostgres {
  readonly port: number
  readonly pid: number
  /** Where the data really is: `directory`, unless that was out of the server's reach. */
  readonly dataDirectory: string
  /** A superuser's URL of a database, `postgres` by default. */
  urlOf(database?: string): string
  /** Disconnects all clients and ends the server. Safe to call more than once. */
  stop(): Promise<void>
}

const STARTS_MAX = 3
/** A password that is not the one the data was made with. */
const INVALID_PASSWORD = '28P01'
/** Held by a session of the program that uses the server, on database `postgres`. */
const USER_LOCK = '5571637291637005'

/**
 * Starts a Postgres of our own on the loopback address, making its data where
 * there is none. A server that an earlier run left behind is ended first.
 * @throws EmbeddedPostgresError where it does not start, as when another program uses the data;
 *   what `signal` was aborted with
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const account = await findPostgresAccount()
  const binaries = await findPostgresBinaries(options.packageEntry)
  const place = await findPostgresPlace(account, binaries, {
    directory: options.directory,
    owner: options.password,
  })
  const leftOver = await findLeftOverServer(place.dataDirectory)
  if (leftOver) {
    await refuseIfUsed(urlOf(leftOver.port, options.password, 'postgres'), options.directory)
    await stopLeftOverServer(leftOver)
  }
  await createCluster(place, account, options.password, options.signal)
  const server = await startServer(place, account, options)
  const holder = await holdServer(server, options)
  return {
    port: server.port,
    pid: server.pid,
    dataDirectory: place.dataDirectory,
    urlOf: (database = 'postgres') => urlOf(server.port, options.password, database),
    async stop() {
      await holder.end().catch(() => undefined)
      await server.stop()
    },
  }
}

function urlOf(port: number, password: string, database: string): string {
  return `postgres://${SUPERUSER}:${encodeURIComponent(password)}@${HOST}:${port}/${database}`
}

/** The lock goes with its session: a program that was killed holds it no more. */
async function holdServer(
  server: PostgresProcess,
  { password, directory }: EmbeddedPostgresOptions,
): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: urlOf(server.port, password, 'postgres'),
    application_name: 'millrace holder',
  })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query(`select pg_advisory_lock(${USER_LOCK})`)
    return client
  } catch (error) {
    await server.stop()
    if ((error as { code?: unknown }).code !== INVALID_PASSWORD) throw error
    throw new EmbeddedPostgresError(
      `the data in ${directory} was made with another password; bring that back, or remove the data to begin anew`,
      { cause: error },
    )
  }
}

async function refuseIfUsed(url: string, directory: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 })
  client.on('error', () => {})
  let free = true
  try {
    await client.connect()
    const { rows } = await client.query<{ free: boolean }>(
      `select pg_try_advisory_lock(${USER_LOCK}) as free`,
    )
    free = rows[0]?.free ?? true
  } catch {
    // Not ready, or shutting down: nobody can be using it.
  } finally {
    await client.end().catch(() => undefined)
  }
  if (!free) {
    throw new EmbeddedPostgresError(
      `${directory} is in use by another running Millrace; stop that first`,
    )
  }
}

async function startServer(
  place: PostgresPlace,
  account: PostgresAccount,
  options: EmbeddedPostgresOptions,
): Promise<PostgresProcess> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await findFreePort(attempt === 1 ? options.port : 0)
    try {
      return await startPostgresProcess(place, account, options, port)
    } catch (error) {
      // Somebody took the port between the look and the start.
      const taken = error instanceof Error && error.message.includes('could not bind')
      if (!taken || attempt >= STARTS_MAX) throw error
    }
  }
}
