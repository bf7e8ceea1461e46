import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

import { createClient } from '@millrace/client'
import pg from 'pg'

import { Proxy } from '../support/proxy.ts'
import { RestartablePostgres } from '../support/restartable-postgres.ts'
import { runMillrace, type MillraceProcess } from '../support/run-millrace.ts'
import { askForBackfill, awaitBackfills } from './backfills.ts'
import { FAULTS, type SoakSite } from './faults.ts'
import { createOracle, readOracle } from './oracle.ts'
import { Random } from '../support/random.ts'
import { replay, type ReplayResult } from './replay.ts'
import { DDL_LOG, SOAK_TABLES } from './tables.ts'
import { createWriterCounts, runWriter, Serial, type WriterCounts } from './writer.ts'

const PUBLICATION = 'millrace_soak'
const WRITERS = 3
/** From one fault to the next; some time must be left in which all works. */
const CALM_MS_MAX = 6_000
/** Of the server's log, where it did not catch up. */
const LINES_SHOWN = 30
const CATCH_UP_MS_MAX = 120_000

export interface SoakOptions {
  readonly durationMs: number
  readonly seed: number
  /** Told what is done, and when. */
  readonly note: (text: string) => void
}

export interface SoakResult {
  readonly writers: WriterCounts
  readonly faults: ReadonlyMap<string, number>
  readonly replay: ReplayResult
  readonly backfills: number
  /** How long the server had to catch up after the last fault. */
  readonly catchUpMs: number
  /** Empty: the log is what the source did. */
  readonly problems: readonly string[]
}

/**
 * Writes at random to several tables while everything between them and the log breaks at
 * random; then replays the log into a copy of each table, and compares.
 */
export async function runSoak(options: SoakOptions): Promise<SoakResult> {
  const { seed, durationMs, note } = options
  await using source = await RestartablePostgres.start({ wal_sender_timeout: '5s' })
  await using storage = await RestartablePostgres.start()
  await using sourceProxy = await Proxy.start(source.port)
  await using storageProxy = await Proxy.start(storage.port)
  await prepare(source, storage)
  await using server = await Server.start(storageProxy.through(storage.urlOf('millrace')))
  await server.connect(sourceProxy.through(source.urlOf('shop')))

  const stopping = new AbortController()
  const writers = createWriterCounts()
  const serial = new Serial()
  const writing = Promise.all(
    Array.from({ length: WRITERS }, (_, index) =>
      runWriter(() => source.urlOf('shop'), {
        random: new Random(seed + 1 + index),
        serial,
        counts: writers,
        signal: stopping.signal,
      }),
    ),
  )
  const site = { source, storage, sourceProxy, storageProxy, replaceServer: () => server.replace() }
  const faults = await doHarm(site, new Random(seed), durationMs, note)
  stopping.abort()
  await writing
  note('the writers have stopped, waiting for the log')

  await using own = await Clients.open(source.urlOf('shop'), storage.urlOf('millrace'))
  const backfills = await awaitBackfills(own.storage)
  const catchUpMs = await awaitMarker(own).catch((error: unknown) => {
    for (const line of server.lines.slice(-LINES_SHOWN)) note(line)
    throw error
  })
  note('replaying the log')
  const replayed = await replay(own.storage, own.source)
  const expected = await readOracle(own.source, PUBLICATION)
  const problems = [
    ...replayed.differences,
    ...compareCounts(expected, replayed.changesOf),
    ...backfills.problems,
  ]
  return { writers, faults, replay: replayed, backfills: backfills.count, catchUpMs, problems }
}

async function prepare(source: RestartablePostgres, storage: RestartablePostgres): Promise<void> {
  await using admin = await Clients.open(source.urlOf(), storage.urlOf())
  await admin.source.query('create database shop')
  await admin.storage.query('create database millrace')
  await using shop = await Clients.open(source.urlOf('shop'), storage.urlOf('millrace'))
  for (const { ddl } of SOAK_TABLES) await shop.source.query(ddl)
  await shop.source.query(`${DDL_LOG}; create table soak_marker (id int primary key)`)
  // Publication first: a slot that is older stops at the WAL between them.
  await shop.source.query(
    `create publication ${PUBLICATION} for all tables with (publish_via_partition_root = true)`,
  )
  await createOracle(shop.source)
}

/** One fault after another, with calm between, until the time is over. */
async function doHarm(
  site: SoakSite,
  random: Random,
  durationMs: number,
  note: (text: string) => void,
): Promise<Map<string, number>> {
  const done = new Map<string, number>()
  const until = performance.now() + durationMs
  while (performance.now() < until) {
    await sleep(random.below(CALM_MS_MAX / 2))
    await askForBackfill(site.storage.urlOf('millrace'), random)
    await sleep(500 + random.below(CALM_MS_MAX / 2))
    const name = random.pick(Object.keys(FAULTS))
    note(name)
    await FAULTS[name]!(site, random)
    done.set(name, (done.get(name) ?? 0) + 1)
  }
  return done
}

/** What is written last is read last: when it is in the log so is all before. */
async function awaitMarker({ source, storage }: Clients): Promise<number> {
  const startedAt = performance.now()
  await source.query('insert into soak_marker values (1)')
  for (;;) {
    const { rowCount } = await storage.query(
      `select from millrace.log l join millrace.relation r using (source_no, relation_no)
       where r.table_name = 'soak_marker'
         and l.seq = (select next_seq - 1 from millrace.position order by first_seq desc limit 1)`,
    )
    const elapsed = performance.now() - startedAt
    if (rowCount === 1) return elapsed
    if (elapsed > CATCH_UP_MS_MAX) throw new Error(await describeStandstill(storage))
    await sleep(50)
  }
}

async function describeStandstill(storage: pg.Client): Promise<string> {
  const reader = await storage.query('select state, state_reason, epoch from millrace.reader')
  const sessions = await storage.query(
    `select application_name, state, wait_event, left(query, 80) as query from pg_stat_activity
     where application_name like 'millrace%'`,
  )
  return `the log has not caught up: ${JSON.stringify([reader.rows, sessions.rows], null, 1)}`
}

function compareCounts(
  expected: ReadonlyMap<string, number>,
  found: ReadonlyMap<string, number>,
): string[] {
  const problems: string[] = []
  for (const lsn of new Set([...expected.keys(), ...found.keys()])) {
    const [wanted, had] = [expected.get(lsn) ?? 0, found.get(lsn) ?? 0]
    if (wanted !== had)
      problems.push(`the transaction at ${lsn} has ${wanted} changes, the log ${had}`)
  }
  return problems
}

/** A `millrace serve` of its own process; the one that was killed has another follow. */
class Server implements AsyncDisposable {
  readonly #environment: Record<string, string>
  #process: MillraceProcess | undefined

  private constructor(storageUrl: string) {
    this.#environment = {
      MILLRACE_STORAGE_URL: storageUrl,
      MILLRACE_SECRET_KEY: randomBytes(32).toString('base64'),
      MILLRACE_ADMIN_TOKEN: randomBytes(16).toString('hex'),
      MILLRACE_PORT: '0',
    }
  }

  static async start(storageUrl: string): Promise<Server> {
    const server = new Server(storageUrl)
    await server.#run()
    return server
  }

  get lines(): readonly string[] {
    return this.#process?.lines ?? []
  }

  /** Captures a database, with the publication that is there. */
  async connect(url: string): Promise<void> {
    const line = await this.#process!.waitForLine(/"address":"([^"]+)"/)
    const token = this.#environment['MILLRACE_ADMIN_TOKEN']!
    const client = createClient({ baseUrl: line[1]!, token })
    await client.sources.put('soak', { url, ssl: { mode: 'disable' }, publication: PUBLICATION })
  }

  async replace(): Promise<void> {
    await this.#end('SIGKILL')
    await this.#run()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end('SIGTERM')
  }

  async #run(): Promise<void> {
    this.#process = runMillrace(['serve'], { environment: this.#environment })
    await this.#process.waitForLine(/listening/)
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#process?.child.kill(signal)
    await this.#process?.ended
  }
}

class Clients implements AsyncDisposable {
  readonly source: pg.Client
  readonly storage: pg.Client

  private constructor(source: string, storage: string) {
    this.source = new pg.Client(source)
    this.storage = new pg.Client(storage)
  }

  static async open(source: string, storage: string): Promise<Clients> {
    const clients = new Clients(source, storage)
    await Promise.all([clients.source.connect(), clients.storage.connect()])
    return clients
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.source.end(), this.storage.end()])
  }
}
