import { setTimeout as sleep } from 'node:timers/promises'

import pg from 'pg'

import type { Proxy } from '../support/proxy.ts'
import type { RestartablePostgres } from '../support/restartable-postgres.ts'
import type { Random } from '../support/random.ts'

/** What can be done harm to. */
export interface SoakSite {
  readonly source: RestartablePostgres
  readonly storage: RestartablePostgres
  /** Between the server and its source, and its storage. */
  readonly sourceProxy: Proxy
  readonly storageProxy: Proxy
  /** Ends the server as a power cut would, and starts another. */
  replaceServer(): Promise<void>
}

type Fault = (site: SoakSite, random: Random) => Promise<unknown>

/** Each is over when it returns, and what it broke can work again. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  'kill -9 of the server': (site) => site.replaceServer(),
  'restart of the source': ({ source, sourceProxy }) => restart(source, sourceProxy),
  'crash of the source': ({ source, sourceProxy }) => crash(source, sourceProxy),
  'restart of the storage': ({ storage, storageProxy }) => restart(storage, storageProxy),
  'crash of the storage': ({ storage, storageProxy }) => crash(storage, storageProxy),
  'backends of the source terminated': ({ source }) => terminate(source),
  'backends of the storage terminated': ({ storage }) => terminate(storage),
  'connections to the source cut': async ({ sourceProxy }) => sourceProxy.cut(),
  'connections to the storage cut': async ({ storageProxy }) => storageProxy.cut(),
  'source half-open, then cut': async ({ sourceProxy }, random) => {
    sourceProxy.hold()
    await sleep(500 + random.below(8_000))
    sourceProxy.cut()
  },
  'source silent for a while': async ({ sourceProxy }, random) => {
    sourceProxy.hold()
    await sleep(500 + random.below(8_000))
    sourceProxy.release()
  },
  'storage silent for a while': async ({ storageProxy }, random) => {
    storageProxy.hold()
    await sleep(500 + random.below(5_000))
    storageProxy.release()
  },
  'storage slow for a while': async ({ storageProxy }, random) => {
    storageProxy.delay(20 + random.below(200))
    await sleep(2_000 + random.below(4_000))
    storageProxy.delay(0)
  },
  'SIGSTOP of the sender': stopSender,
  'checkpoint of the source': ({ source }) => run(source, 'checkpoint'),
}

async function restart(postgres: RestartablePostgres, proxy: Proxy): Promise<void> {
  await postgres.down()
  await postgres.up()
  proxy.pointTo(postgres.port)
}

async function crash(postgres: RestartablePostgres, proxy: Proxy): Promise<void> {
  await postgres.crash()
  await postgres.up()
  proxy.pointTo(postgres.port)
}

function terminate(postgres: RestartablePostgres): Promise<unknown> {
  return run(
    postgres,
    `select pg_terminate_backend(pid) from pg_stat_activity
     where application_name like 'millrace%' and application_name <> 'millrace holder'`,
  )
}

async function stopSender({ source }: SoakSite, random: Random): Promise<void> {
  const { rows } = await run(
    source,
    'select active_pid as pid from pg_replication_slots where active_pid is not null',
  )
  const pid = Number(rows[0]?.['pid'] ?? 0)
  if (pid === 0) return
  process.kill(pid, 'SIGSTOP')
  await sleep(500 + random.below(8_000))
  process.kill(pid, 'SIGCONT')
}

async function run(postgres: RestartablePostgres, sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: postgres.urlOf(), query_timeout: 20_000 })
  client.on('error', () => {})
  await client.connect()
  try {
    return await client.query(sql)
  } finally {
    await client.end()
  }
}
