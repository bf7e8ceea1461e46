import type { BenchOptions } from './main.ts'
import { openBenchPostgres, type BenchPostgres } from './support/bench-postgres.ts'
import { findStreamCounter } from './support/count-stream.ts'
import { formatRate, median, note, printFigures, type Figure } from './support/figures.ts'
import type { ClientAnswer, ClientTask } from './support/http-clients.ts'
import { describeMachine } from './support/machine.ts'
import { startMillrace, TOKEN } from './support/millrace-server.ts'
import { placeOrders } from './support/orders.ts'
import { formatUsage, measureUsage, type Usage } from './support/process-usage.ts'
import { createShop, type Shop } from './support/shop.ts'
import { createStorage, timeCapture, type BenchStorage } from './support/storage.ts'
import { runWorkerProcess } from './support/worker-process.ts'

const HTTP_CLIENTS = new URL('./support/http-clients.ts', import.meta.url)

const CAPTURE_RATIO_MIN = 0.5
const THREE_CONSUMERS_MIN = 60_000
const SERVER_MEGABYTES_MAX = 300

interface Sizes {
  readonly single: number
  readonly batched: number
  readonly rounds: number
  readonly warmUpSeconds: number
  readonly seconds: number
}

/** The way of a change through the server, each stage for itself, on one machine in one run. */
export async function run(options: BenchOptions): Promise<void> {
  const sizes = readSizes(options)
  const postgres = await openBenchPostgres(options.postgres)
  const shop = await createShop(postgres)
  try {
    const figures: Figure[] = []
    let storage: BenchStorage
    if (options.only && !options.only.includes('capture')) {
      const slot = await shop.createSlot()
      await placeOrders(shop.url, { count: sizes.batched, perTransaction: 100 })
      storage = await capture(postgres, shop, slot, sizes.batched)
    } else {
      const single = await compareCapture(postgres, shop, sizes, sizes.single, 1)
      const batched = await compareCapture(postgres, shop, sizes, sizes.batched, 100)
      figures.push(...single.figures, ...batched.figures)
      storage = batched.storage
    }
    if (!options.only || options.only.includes('http')) {
      figures.push(...(await measureHttp(storage, sizes, options.profile)))
    }
    printFigures(`bench pipeline on ${describeMachine(postgres.description)}`, figures)
  } finally {
    await shop.close()
    await postgres.stop()
  }
}

function readSizes(options: BenchOptions): Sizes {
  const messages = options.messages ?? (options.smoke ? 4_000 : 800_000)
  return {
    single: Math.ceil(messages / 2),
    batched: messages,
    rounds: options.rounds ?? (options.smoke ? 1 : 3),
    warmUpSeconds: options.smoke ? 0 : 2,
    // A smoke run ends when its small backlog is empty.
    seconds: options.seconds ?? (options.smoke ? 30 : 6),
  }
}

/** Our capturing and a reader that throws everything away, in turns from the same position. */
async function compareCapture(
  postgres: BenchPostgres,
  shop: Shop,
  sizes: Sizes,
  count: number,
  perTransaction: number,
): Promise<{ figures: Figure[]; storage: BenchStorage }> {
  const workload = `${count.toLocaleString('en')} inserts, ${perTransaction} a transaction`
  const counter = await findStreamCounter()
  const start = await shop.createSlot()
  await placeOrders(shop.url, { count, perTransaction })
  const end = await shop.readLsn()

  const bare: number[] = []
  const captured: number[] = []
  const usages: (Usage | undefined)[] = []
  let storage: BenchStorage | undefined
  for (let round = 1; round <= sizes.rounds; round += 1) {
    const slot = await shop.copySlot(start)
    bare.push(count / (await counter.read(shop.url, slot, end)))
    await shop.dropSlot(slot)
    storage = await capture(postgres, shop, await shop.copySlot(start), count, (rate, usage) => {
      captured.push(rate)
      usages.push(usage)
    })
    note(
      `${workload}: ${counter.name} ${formatRate(bare.at(-1)!, 'changes')}, captured ${formatRate(captured.at(-1)!, 'changes')}`,
    )
  }
  await shop.dropSlot(start)

  const ratio = median(captured.map((rate, index) => rate / bare[index]!))
  const peak = usages.toSorted((a, b) => (a?.peakMegabytes ?? 0) - (b?.peakMegabytes ?? 0)).at(-1)
  const figures: Figure[] = [
    { what: `${counter.name} to /dev/null`, workload, value: formatRate(median(bare), 'changes') },
    {
      what: 'captured into the log',
      workload,
      value: formatRate(median(captured), 'changes'),
      server: formatUsage(peak),
      ...limitMemory(peak),
    },
    {
      what: 'captured ÷ bare',
      workload,
      value: ratio.toFixed(2),
      limit: { text: `≥ ${CAPTURE_RATIO_MIN}`, kept: ratio >= CAPTURE_RATIO_MIN },
    },
  ]
  return { figures, storage: storage! }
}

/** Captures what lies behind `slot` into a storage of its own. */
async function capture(
  postgres: BenchPostgres,
  shop: Shop,
  slot: string,
  count: number,
  onDone?: (perSecond: number, usage: Usage | undefined) => void,
): Promise<BenchStorage> {
  const storage = await createStorage(await postgres.createDatabase('storage'), shop.url, slot)
  const timing = timeCapture(storage.url, count)
  const server = await startMillrace(storage)
  const usage = await measureUsage(server.pid)
  const { changes, seconds } = await timing
  onDone?.(changes / seconds, await usage.end())
  await server.stop()
  await shop.dropSlot(slot)
  return storage
}

const HTTP_PHASES = [
  { consumers: 1, workers: 4, batchSize: 100, limit: undefined },
  { consumers: 3, workers: 4, batchSize: 100, limit: THREE_CONSUMERS_MIN },
  { consumers: 10, workers: 4, batchSize: 100, limit: undefined },
  { consumers: 1, workers: 64, batchSize: 1, limit: undefined },
]

/** Receive and ack from a standing backlog; the clients are another process on the same cores. */
async function measureHttp(
  storage: BenchStorage,
  sizes: Sizes,
  profile: string | undefined,
): Promise<Figure[]> {
  // Nothing is to be captured any more.
  const server = await startMillrace(storage, { roles: 'api', profile })
  const figures: Figure[] = []
  try {
    for (const [phase, { consumers, workers, batchSize, limit }] of HTTP_PHASES.entries()) {
      const names = Array.from({ length: consumers }, (_, index) => `phase-${phase}-${index}`)
      await server.createConsumers(names)
      const usage = await measureUsage(server.pid)
      const answer = await runWorkerProcess<ClientTask, ClientAnswer>(HTTP_CLIENTS, {
        url: server.url,
        token: TOKEN,
        consumers: names,
        workers,
        batchSize,
        warmUpSeconds: sizes.warmUpSeconds,
        seconds: sizes.seconds,
      })
      const used = await usage.end()
      const perSecond = answer.messages / answer.seconds
      figures.push({
        what: `received and acked by ${consumers} consumer${consumers === 1 ? '' : 's'}`,
        workload: `batch ${batchSize}, ${workers} workers each${answer.ranDry ? ', until the backlog was empty' : ''}`,
        value: formatRate(perSecond, 'messages'),
        server: `${formatUsage(used)} (clients ${answer.cpuSeconds.toFixed(1)} s)`,
        ...(limit === undefined
          ? limitMemory(used)
          : {
              limit: {
                text: `≥ ${limit.toLocaleString('en')}`,
                kept: perSecond >= limit,
              },
            }),
      })
      note(
        `${consumers} × ${workers} workers, batch ${batchSize}: ${formatRate(perSecond, 'messages')}, ${formatUsage(used)}`,
      )
    }
  } finally {
    await server.stop()
  }
  return figures
}

function limitMemory(usage: Usage | undefined): Pick<Figure, 'limit'> {
  if (usage === undefined) return {}
  return {
    limit: {
      text: `< ${SERVER_MEGABYTES_MAX} MB`,
      kept: usage.peakMegabytes < SERVER_MEGABYTES_MAX,
    },
  }
}
