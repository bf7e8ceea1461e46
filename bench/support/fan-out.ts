import type { BenchPostgres } from './bench-postgres.ts'
import { formatRate, median, note, type Figure } from './figures.ts'
import type { ClientAnswer, ClientTask } from './http-clients.ts'
import { startMillrace, TOKEN } from './millrace-server.ts'
import type { RivalAnswer, RivalTask } from './rivals/rival.ts'
import { createShop } from './shop.ts'
import { createStorage } from './storage.ts'
import { runWorkerProcess } from './worker-process.ts'

const HTTP_CLIENTS = new URL('./http-clients.ts', import.meta.url)
const RIVAL = new URL('./rivals/rival-process.ts', import.meta.url)

export interface FanOutOptions {
  /** Per consumer at batch 100. */
  readonly messages: number
  /** Per consumer at batch 1. */
  readonly singles: number
  readonly rounds: number
  /** Others to compare with; empty: all. */
  readonly systems: readonly string[]
}

interface Case {
  readonly batchSize: number
  readonly workers: number
  readonly messages: number
}

/** One call a round: what was done is acked on the way to the next receive. */
const OURS = 'Millrace over HTTP'
const OURS_APART = 'Millrace over HTTP, acks in calls of their own'
const DIRECT = 'direct SQL'
const TUNED = 'direct SQL, tuned'
/** The limits are about what is in use: the tuned one and ours the other way are not in the race. */
const SHOWN_ONLY = [OURS_APART, TUNED]
const LIBRARIES = ['pg-boss', 'graphile-worker']
const CONSUMERS = ['inventory', 'shipping', 'invoicing']
const ORDERS_AT_ONCE = 1000
/** pg-boss would take ten minutes for the singles. */
const RIVAL_SECONDS_MAX = 120

/** By how many times ours must beat the others. */
const DIRECT_BATCH_MIN = 2
const LIBRARY_BATCH_MIN = 3
const BEST_SINGLE_MIN = 2

/** Every message to three consumers, from the first one put in to the last ack, system by system. */
export async function compareFanOut(
  postgres: BenchPostgres,
  options: FanOutOptions,
): Promise<Figure[]> {
  const others = [OURS_APART, DIRECT, TUNED, ...LIBRARIES].filter(
    (name) => options.systems.length === 0 || options.systems.includes(name),
  )
  const cases: Case[] = [
    { batchSize: 100, workers: 4, messages: options.messages },
    { batchSize: 1, workers: 64, messages: options.singles },
  ]
  const figures: Figure[] = []
  for (const each of cases) {
    const rates = new Map<string, number[]>()
    for (let round = 0; round < options.rounds; round += 1) {
      for (const system of [OURS, ...others]) {
        const isOurs = system === OURS || system === OURS_APART
        const rate = isOurs
          ? await fanOutOurs(postgres, each, { acksApart: system === OURS_APART })
          : await fanOutRival(postgres, system, each)
        rates.set(system, [...(rates.get(system) ?? []), rate])
        note(`${system}, batch ${each.batchSize}: ${formatRate(rate, 'messages')}`)
      }
    }
    figures.push(...describeCase(each, rates))
  }
  return figures
}

/** Messages a second, the whole way: orders are inserted, captured through the slot, and received over HTTP. */
async function fanOutOurs(
  postgres: BenchPostgres,
  each: Case,
  { acksApart }: { acksApart: boolean },
): Promise<number> {
  const shop = await createShop(postgres)
  const slot = await shop.createSlot()
  const storage = await createStorage(await postgres.createDatabase('storage'), shop.url, slot)
  const server = await startMillrace(storage)
  try {
    await server.createConsumers(CONSUMERS)
    const answer = await runWorkerProcess<ClientTask, ClientAnswer>(HTTP_CLIENTS, {
      url: server.url,
      token: TOKEN,
      consumers: CONSUMERS,
      workers: each.workers,
      batchSize: each.batchSize,
      warmUpSeconds: 0,
      messages: each.messages,
      acksApart,
      orders: { url: shop.url, count: each.messages, perTransaction: ORDERS_AT_ONCE },
    })
    return (each.messages * CONSUMERS.length) / answer.seconds
  } finally {
    await server.stop()
    await shop.dropSlot(slot)
    await shop.close()
  }
}

async function fanOutRival(postgres: BenchPostgres, system: string, each: Case): Promise<number> {
  const { messages, seconds } = await runWorkerProcess<RivalTask, RivalAnswer>(RIVAL, {
    system,
    url: await postgres.createDatabase('rival'),
    queues: CONSUMERS,
    secondsMax: RIVAL_SECONDS_MAX,
    ...each,
  })
  return messages / seconds
}

function describeCase(each: Case, rates: ReadonlyMap<string, readonly number[]>): Figure[] {
  const workload = `${each.messages.toLocaleString('en')} × 3, batch ${each.batchSize}, ${each.workers} workers each`
  const medians = new Map([...rates].map(([system, all]) => [system, median(all)]))
  const ours = medians.get(OURS)!
  medians.delete(OURS)
  const best = Math.max(
    ...[...medians].filter(([system]) => !SHOWN_ONLY.includes(system)).map(([, rate]) => rate),
  )
  return [
    { what: OURS, workload, value: formatRate(ours, 'messages') },
    ...[...medians].map(([system, rate]): Figure => {
      const least = leastRatio(each, system, rate === best)
      const ratio = ours / rate
      return {
        what: system,
        workload,
        value: `${formatRate(rate, 'messages')} (ours ${ratio.toFixed(1)} ×)`,
        ...(least === undefined
          ? {}
          : { limit: { text: `ours ≥ ${least} ×`, kept: ratio >= least } }),
      }
    }),
  ]
}

function leastRatio(each: Case, system: string, isBest: boolean): number | undefined {
  if (SHOWN_ONLY.includes(system)) return undefined
  if (each.batchSize === 1) return isBest ? BEST_SINGLE_MIN : undefined
  return system === DIRECT ? DIRECT_BATCH_MIN : LIBRARY_BATCH_MIN
}
