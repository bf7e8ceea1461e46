import { afterEach, beforeAll, beforeEach, vi } from 'vitest'

import {
  createWorker,
  type Worker,
  type WorkerEvents,
  type WorkerOptions,
} from '../../../sdk/src/index.ts'
import { withSpan } from '../../../sdk/src/telemetry.ts'
import { idOf, type FakeQueue, type Row } from './fake-queue.ts'

type Options = Partial<WorkerOptions<Row>> & Pick<WorkerOptions<Row>, 'handle' | 'handleBatch'>

const started: Worker<Row>[] = []

/** Time that tests move, for workers that end with their test. */
export function useWorkerClock(): void {
  // What it loads at first is loaded in real time.
  beforeAll(() => withSpan({ operation: 'process', consumer: '' }, async () => {}))
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  })
  afterEach(async () => {
    for (const worker of started.splice(0)) void worker.stop({ graceMs: 0 })
    await vi.advanceTimersByTimeAsync(5000)
    vi.useRealTimers()
  })
}

/** A worker that runs until the test ends, and what it said. */
export function startWorker(queue: FakeQueue, options: Options) {
  const worker = createWorker<Row>(queue, {
    consumer: 'inventory',
    visibilityTimeoutMs: 3000,
    ...options,
  } as WorkerOptions<Row>)
  const events: string[] = []
  const record = <Name extends keyof WorkerEvents<Row>>(
    name: Name,
    describe: (event: WorkerEvents<Row>[Name]) => string,
  ) => worker.on(name, (event) => events.push(describe(event)))
  record('processed', ({ message }) => `processed ${idOf(message)}`)
  record('failed', ({ message, outcome }) => `failed ${idOf(message)}: ${outcome}`)
  record('settled', ({ message, status }) => `${status} ${idOf(message)}`)
  record('leaseLost', ({ message, phase }) => `lost ${idOf(message)} ${phase}`)
  record('error', ({ during }) => `error in ${during}`)
  record('stopped', () => 'stopped')
  const done = worker.run()
  done.catch(() => {})
  started.push(worker)
  return { worker, events, done }
}

/** Lets promises run that wait for no timer. */
export const settleDown = () => vi.advanceTimersByTimeAsync(0)
/** Long enough for a settlement to leave. */
export const flush = () => vi.advanceTimersByTimeAsync(20)
