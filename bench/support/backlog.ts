import pg from 'pg'

const HTTP_CLIENTS = new URL('./http-clients.ts', import.meta.url)

import type { BenchPostgres } from './bench-postgres.ts'
import { formatRate, median, note, type Figure } from './figures.ts'
import type { ClientAnswer, ClientTask } from './http-clients.ts'
import { startMillrace, TOKEN, type MillraceServer } from './millrace-server.ts'
import { placeOrders } from './orders.ts'
import { formatUsage, measureUsage, type Usage } from './process-usage.ts'
import { createShop } from './shop.ts'
import { createStorage, timeCapture } from './storage.ts'
import { runWorkerProcess } from './worker-process.ts'

export interface BacklogOptions {
  readonly backlog: number
  /** Messages of the unburdened storage: enough for a measured window. */
  readonly light: number
  readonly inFlight: number
  readonly rounds: number
  readonly warmUpSeconds: number
  readonly seconds: number
}

/** A storage with orders captured, and the server on it. */
interface Site {
  readonly server: MillraceServer
  close(): Promise<void>
}

const RATIO_MIN = 0.9

/**
 * Receive and ack with a long backlog, thousands of leases of one message, and a
 * transaction in the storage that was open before all of it; beside the same without.
 */
export async function measureBacklog(
  postgres: BenchPostgres,
  options: BacklogOptions,
): Promise<Figure[]> {
  const light = await openSite(postgres, options.light, false)
  const heavy = await openSite(postgres, options.backlog + options.inFlight, true)
  const rates = { light: [] as number[], heavy: [] as number[] }
  let used: Usage | undefined
  try {
    for (let round = 0; round < options.rounds; round += 1) {
      rates.light.push((await measureRate(light.server, `light-${round}`, options)).perSecond)
      const name = `heavy-${round}`
      await heavy.server.createConsumers([name], { max_in_flight: 100_000 })
      await leaseSingly(heavy.server, name, options.inFlight)
      const measured = await measureRate(heavy.server, name, options)
      rates.heavy.push(measured.perSecond)
      used = measured.usage ?? used
      note(
        `without ${formatRate(rates.light.at(-1)!, 'messages')}, with ${formatRate(measured.perSecond, 'messages')}`,
      )
    }
  } finally {
    await light.close()
    await heavy.close()
  }
  const ratio = median(rates.heavy.map((rate, round) => rate / rates.light[round]!))
  const workload = 'batch 100, 4 workers'
  return [
    {
      what: 'received and acked, unburdened',
      workload,
      value: formatRate(median(rates.light), 'messages'),
    },
    {
      what: 'the same with a burden',
      workload: `${options.backlog.toLocaleString('en')} backlog, ${options.inFlight.toLocaleString('en')} leases of one, an open transaction`,
      value: formatRate(median(rates.heavy), 'messages'),
      server: formatUsage(used),
    },
    {
      what: 'with ÷ without',
      workload,
      value: ratio.toFixed(2),
      limit: { text: `≥ ${RATIO_MIN}`, kept: ratio >= RATIO_MIN },
    },
  ]
}

async function openSite(
  postgres: BenchPostgres,
  orders: number,
  holdsTransaction: boolean,
): Promise<Site> {
  const shop = await createShop(postgres)
  const slot = await shop.createSlot()
  const storage = await createStorage(await postgres.createDatabase('storage'), shop.url, slot)
  const holder = holdsTransaction ? await holdTransaction(storage.url) : undefined
  await placeOrders(shop.url, { count: orders, perTransaction: 1000 })
  const server = await startMillrace(storage)
  await timeCapture(storage.url, orders)
  return {
    server,
    async close() {
      await server.stop()
      await holder?.end()
      await shop.dropSlot(slot)
      await shop.close()
    },
  }
}

/** From now on no dead row of this database can be cleaned away. */
async function holdTransaction(url: string): Promise<pg.Client> {
  const client = new pg.Client(url)
  await client.connect()
  await client.query('begin isolation level repeatable read')
  await client.query('select pg_current_xact_id()')
  return client
}

async function leaseSingly(server: MillraceServer, name: string, count: number): Promise<void> {
  await runWorkerProcess<ClientTask, ClientAnswer>(HTTP_CLIENTS, {
    url: server.url,
    token: TOKEN,
    consumers: [name],
    workers: 64,
    batchSize: 1,
    warmUpSeconds: 0,
    messages: count,
    keepLeased: true,
  })
}

async function measureRate(
  server: MillraceServer,
  name: string,
  { warmUpSeconds, seconds }: BacklogOptions,
): Promise<{ perSecond: number; usage: Usage | undefined }> {
  await server.createConsumers([name], { max_in_flight: 100_000 })
  const usage = await measureUsage(server.pid)
  const answer = await runWorkerProcess<ClientTask, ClientAnswer>(HTTP_CLIENTS, {
    url: server.url,
    token: TOKEN,
    consumers: [name],
    workers: 4,
    batchSize: 100,
    warmUpSeconds,
    seconds,
  })
  return { perSecond: answer.messages / answer.seconds, usage: await usage.end() }
}
