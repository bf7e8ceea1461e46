// A service of its own, for tests that end or freeze it. It says what it does, one JSON value a line.
import { setTimeout as delay } from 'node:timers/promises'

import {
  createClient,
  createWorker,
  PermanentError,
  RetryLater,
  type Message,
} from '../../../sdk/src/index.ts'

const [consumer = '', mode = '', seed = '1'] = process.argv.slice(2)

const isFrozen = mode === 'frozen'
/** A busy one must not lose a lease because the machine stands still for a moment. */
const VISIBILITY_MS = isFrozen ? 1000 : 3000

/** The same failures for the same seed. */
let state = Number(seed)
function random(): number {
  state = (state * 1_103_515_245 + 12_345) % 2 ** 31
  return state / 2 ** 31
}

const say = (event: string, message: Message, more: object = {}): void =>
  console.log(JSON.stringify({ event, seq: message.metadata.commit_lsn / 100, ...more }))

async function work(signal: AbortSignal): Promise<void> {
  if (isFrozen) {
    // The event loop stands still for longer than the lease lasts.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3 * VISIBILITY_MS)
    return
  }
  const chance = random()
  if (chance < 0.03) await delay(1.5 * VISIBILITY_MS, undefined, { signal })
  else await delay(random() * 30, undefined, { signal })
  if (chance > 0.95) throw new PermanentError('by chance')
  if (chance > 0.85) throw new RetryLater(0)
  if (chance > 0.75) throw new Error('by chance')
}

const worker = createWorker(createClient(), {
  consumer,
  concurrency: isFrozen ? 1 : 20,
  batchSize: isFrozen ? 1 : 25,
  visibilityTimeoutMs: VISIBILITY_MS,
  async handle(message, { signal }) {
    say('begin', message)
    try {
      await work(signal)
    } finally {
      say('end', message)
    }
  },
})
worker.on('settled', ({ message, status }) => say('settled', message, { status }))
worker.on('leaseLost', ({ message, phase }) => say('lost', message, { phase }))
process.once('SIGTERM', () => void worker.stop())
await worker.run()
