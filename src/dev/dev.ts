import pg from 'pg'

import { createClient } from '@millrace/client'

import type { Config } from '../config.ts'
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../embedded/postgres.ts'
import type { Logger } from '../log.ts'
import { startServer, type Server } from '../main.ts'
import { openDevDirectory, readShopUrl, saveShopUrl, type DevDirectory } from './dev-directory.ts'
import { connectSource } from './set-up.ts'
import { startDemo } from './start-demo.ts'

export interface DevOptions {
  /** Where everything is kept between runs. */
  directory: string
  /** What the server is told, beside what the directory says. */
  config: Omit<Config, 'storageUrl' | 'secretKey' | 'adminToken'>
  withDemo: boolean
  /** A database of the user's, to capture instead of the demo's. */
  sourceUrl?: string
  logger: Logger
  /** Gives up starting, and ends what was started. */
  signal: AbortSignal
  /** Wraps what may take long, to say so. */
  progress: <T>(label: string, work: () => Promise<T>) => Promise<T>
  /** A demo service did something with an order. */
  onOrder: (service: string, orderId: number, text: string) => void
  /** Something ended that should not have: nothing goes on without it. */
  onFailure: (reason: string) => void
}

export interface DevServer {
  readonly address: string
  readonly directory: DevDirectory
  readonly shopUrl: string
  /** The source that was connected, if any. */
  readonly source: string | undefined
  stop(): Promise<void>
}

const POSTGRES_PORT = 4401
const STORAGE_DATABASE = 'millrace'
const SHOP_DATABASE = 'shop'
/** Of the two seconds that stopping may take; the services have taken theirs before. */
const REQUEST_GRACE_MS = 300
const POSTGRES_STOP_MS = 1300

/**
 * Everything on this machine: Postgres, the server, and a shop with its three services.
 * @throws SetUpError, EmbeddedPostgresError: a sentence for whoever started it;
 *   what `signal` was aborted with, once all has ended
 */
export async function startDev(options: DevOptions): Promise<DevServer> {
  const stops: (() => Promise<void>)[] = []
  const stop = async (): Promise<void> => {
    for (let next = stops.pop(); next; next = stops.pop()) await next()
  }
  try {
    const directory = await openDevDirectory(options.directory)
    const postgres = await startPostgres(directory, options)
    stops.push(() => postgres.stop())
    const server = await options.progress('starting the server', () =>
      startServer(
        {
          ...options.config,
          storageUrl: postgres.urlOf(STORAGE_DATABASE),
          secretKey: directory.secretKey,
          adminToken: directory.adminToken,
        },
        options.logger,
        { graceMs: REQUEST_GRACE_MS, signal: options.signal },
      ),
    )
    stops.push(() => server.stop())
    const shopUrl = postgres.urlOf(SHOP_DATABASE)
    await saveShopUrl(directory, shopUrl)
    const source = await connectDatabase(server, directory, shopUrl, options, stops)
    options.signal.throwIfAborted()
    return { address: server.address, directory, shopUrl, source, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function startPostgres(
  directory: DevDirectory,
  { progress, onFailure, signal }: DevOptions,
): Promise<EmbeddedPostgres> {
  // The port of the last run, where it is free: the source says it until it is told another.
  const lastUrl = await readShopUrl(directory.path)
  const label = directory.isNew ? 'making a Postgres' : 'starting Postgres'
  const postgres = await progress(label, () =>
    startEmbeddedPostgres({
      directory: directory.postgresDirectory,
      password: directory.postgresPassword,
      port: lastUrl === undefined ? POSTGRES_PORT : Number(new URL(lastUrl).port),
      stopMsMax: POSTGRES_STOP_MS,
      signal,
      onCrash: (log) => onFailure(`Postgres ended by itself: ${log}`),
    }),
  )
  try {
    await createDatabases(postgres.urlOf(), [STORAGE_DATABASE, SHOP_DATABASE], signal)
    return postgres
  } catch (error) {
    await postgres.stop()
    throw error
  }
}

async function createDatabases(
  adminUrl: string,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const client = new pg.Client(adminUrl)
  await client.connect()
  try {
    const { rows } = await client.query<{ datname: string }>('select datname from pg_database')
    for (const name of names) {
      signal.throwIfAborted()
      if (!rows.some(({ datname }) => datname === name)) {
        await client.query(`create database ${pg.escapeIdentifier(name)}`)
      }
    }
  } finally {
    await client.end()
  }
}

/** The user's database, the demo's, or none. */
async function connectDatabase(
  server: Server,
  directory: DevDirectory,
  shopUrl: string,
  options: DevOptions,
  stops: (() => Promise<void>)[],
): Promise<string | undefined> {
  const client = createClient({ baseUrl: server.address, token: directory.adminToken })
  if (options.sourceUrl !== undefined) {
    const { sourceUrl, signal } = options
    const name = nameSource(sourceUrl)
    await options.progress(`connecting ${name}`, () =>
      connectSource(client, name, sourceUrl, signal),
    )
    return name
  }
  if (!options.withDemo) return undefined
  await startDemo(client, { name: SHOP_DATABASE, url: shopUrl }, options, stops)
  return SHOP_DATABASE
}

/** A source's name from that of its database. */
function nameSource(url: string): string {
  const name = decodeURIComponent(new URL(url).pathname.slice(1))
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^[-_]+/, '')
    .slice(0, 63)
  return name || 'database'
}
