import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import pg from 'pg'
import { afterEach, expect, test } from 'vitest'

import { checkHistory } from './support/check-history.ts'
import { History } from './support/history.ts'
import { HistoryClient } from './support/history-client.ts'
import { listUnseen } from './support/list-unseen.ts'
import { ORDERS, OrderWriter } from './support/order-writer.ts'
import { chooseSeed, Random } from '../support/random.ts'
import { startRestartablePostgres } from './support/restartable-postgres.ts'
import { connectShop, killServers, send, startServer, type ServerProcess } from './support/serve.ts'

/** `MILLRACE_TEST_HISTORY_S=180` for a long run: how long accidents happen, in s. */
const SECONDS = Number(process.env['MILLRACE_TEST_HISTORY_S'] ?? 15)
const CLIENTS = 8
const SERVERS = 3
const ROWS = 300
const AHEAD_MAX = 400
/** Fewer than the clients ask for together. */
const MAX_IN_FLIGHT = 40
const HEAL_MS_MAX = 90_000

afterEach(killServers)

type Postgres = Awaited<ReturnType<typeof startRestartablePostgres>>

async function runSql<T extends pg.QueryResultRow>(url: string, sql: string): Promise<T[]> {
  const client = new pg.Client(url)
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query<T>(sql)).rows
  } finally {
    await client.end()
  }
}

/** Writes until it is stopped; a connection that breaks is replaced, and what it held given up. */
async function writeOrders(
  shopUrl: string,
  random: Random,
  world: { isOver: () => boolean; countOpen: (written: number) => number },
): Promise<void> {
  let written = 0
  while (!world.isOver()) {
    const client = new pg.Client(shopUrl)
    client.on('error', () => {})
    try {
      await client.connect()
      // An outcome that is not known is looked up: only then is the next version right.
      const { rows } = await client.query<{ id: number; version: number }>(
        'select id, version from orders',
      )
      const writer = new OrderWriter(client.query.bind(client), random, ROWS, rows)
      while (!world.isOver()) {
        if (world.countOpen(written + writer.committed.length) < AHEAD_MAX) await writer.write()
        await sleep(random.between(5, 40))
        if (writer.committed.length > 500) written += writer.committed.splice(0).length
      }
      written += writer.committed.length
    } catch {
      await sleep(100)
    } finally {
      await client.end().catch(() => undefined)
    }
  }
}

const KILL = 'kill -9'
const BREAK = 'pg_terminate_backend'
const RESTART = 'restart of Postgres'

/**
 * Accidents one after the other, each kind at least once, Postgres itself restarted once;
 * and on until all else has happened as well.
 */
async function causeAccidents(
  postgres: Postgres,
  servers: (ServerProcess | undefined)[],
  random: Random,
  world: { open: ReadonlyMap<string, number>; isEnough: () => boolean },
): Promise<string[]> {
  const storageUrl = postgres.urlOf('storage')
  const cause = {
    [KILL]: async () => {
      const place = random.between(0, SERVERS - 1)
      const server = servers[place]!
      // In the middle of somebody's call: a server that nobody asks anything has nothing to lose.
      while ((world.open.get(server.url) ?? 0) === 0) await sleep(1)
      servers[place] = undefined
      await server.kill()
      servers[place] = await startServer(storageUrl)
    },
    [BREAK]: async () => {
      const broken = await runSql(
        storageUrl,
        `select pg_terminate_backend(pid) from (
           select pid, row_number() over (order by random()) as place, count(*) over () as total
           from pg_stat_activity where datname = 'storage' and pid <> pg_backend_pid()
         ) as connection where place <= ceil(0.7 * total)`,
      )
      expect(broken.length).toBeGreaterThan(0)
    },
    [RESTART]: () => postgres.restart(),
  }
  // The restart in the middle, whatever else chance brings.
  const schedule = [...random.shuffle([KILL, BREAK] as const), RESTART, KILL, BREAK] as const
  const accidents: string[] = []
  const startedAt = performance.now()
  const hasLasted = (seconds: number): boolean => performance.now() - startedAt > seconds * 1000
  while (
    accidents.length < schedule.length ||
    !hasLasted(SECONDS) ||
    !(world.isEnough() || hasLasted(4 * SECONDS))
  ) {
    await sleep(random.between(500, 2500))
    const kind = schedule[accidents.length] ?? (random.chance(0.5) ? KILL : BREAK)
    accidents.push(kind)
    await cause[kind]()
  }
  return accidents
}

test(
  'clients see no message lost, leased twice, delivered after its ack, or out of order',
  {
    timeout: SECONDS * 5000 + 240_000,
  },
  async () => {
    const random = new Random(chooseSeed('history'))
    const postgres = await startRestartablePostgres()
    const servers: (ServerProcess | undefined)[] = []
    const history = new History()
    const stopping = new AbortController()
    let isHealing = false
    try {
      for (const name of ['storage', 'shop'])
        await runSql(postgres.urlOf('postgres'), `create database ${name}`)
      await runSql(postgres.urlOf('shop'), ORDERS)
      for (let count = 0; count < SERVERS; count++)
        servers.push(await startServer(postgres.urlOf('storage')))
      await connectShop(servers[0]!.url, postgres.urlOf('shop'), ['inventory'], {
        slot: 'history',
        visibility_timeout_ms: 1000,
        max_in_flight: MAX_IN_FLIGHT,
      })
      const open = new Map<string, number>()
      const clients = Array.from(
        { length: CLIENTS },
        (_, no) =>
          new HistoryClient(
            no,
            {
              history,
              open,
              listServers: () => servers.flatMap((server) => (server ? [server.url] : [])),
              isHealing: () => isHealing,
              signal: stopping.signal,
            },
            new Random(random.between(0, 2 ** 31)),
          ),
      )
      const running = clients.map((client) => client.run())
      const writing = writeOrders(postgres.urlOf('shop'), new Random(random.between(0, 2 ** 31)), {
        isOver: () => isHealing,
        countOpen: (written) => written - history.acked.size,
      })
      const isEnough = (): boolean => listUnseen(history.events).length === 0
      const accidents = await causeAccidents(postgres, servers, random, { open, isEnough })
      isHealing = true
      await writing

      const rows = await runSql<{ id: number; version: number }>(
        postgres.urlOf('shop'),
        'select id, version from orders',
      )
      const committed = new Map(rows.map(({ id, version }) => [id, version]))
      const total = rows.reduce((sum, { version }) => sum + version, 0)
      const healedBy = performance.now() + HEAL_MS_MAX
      const isDone = (): boolean =>
        history.acked.size >= total && clients.every(({ isCertain }) => isCertain)
      while (!isDone() && performance.now() < healedBy) await sleep(50)
      stopping.abort()
      await Promise.all(running)

      const { body: stats } = await send<object>(
        `${servers[0]!.url}/v1/consumers/inventory/stats`,
        { method: 'GET' },
      )
      console.log(
        `history: ${history.events.length} events, ${total} messages, ${accidents.join(', ')}`,
      )
      const violations = checkHistory(history.events, committed, MAX_IN_FLIGHT)
      if (violations.length > 0) {
        const file = join(await mkdtemp(join(tmpdir(), 'millrace-history-')), 'history.jsonl')
        await writeFile(file, history.events.map((event) => JSON.stringify(event)).join('\n'))
        console.log(`history: written to ${file}`)
      }
      expect(violations.slice(0, 20)).toEqual([])
      expect(stats).toMatchObject({ backlog: 0, leased: 0, retrying: 0, waiting: 0, dead: 0 })
      // Nothing was proved where nothing happened.
      expect(new Set(accidents)).toEqual(new Set([KILL, BREAK, RESTART]))
      expect(listUnseen(history.events)).toEqual([])
      expect(total).toBeGreaterThan(500)
    } finally {
      stopping.abort()
      await killServers()
      await postgres.stop()
    }
  },
)
