import { expect } from 'vitest'

import { test } from '../support/database.ts'
import { givenConsumer, givenSource, orders } from '../support/given.ts'
import { startProcess } from '../support/queues.ts'

/** `MILLRACE_TEST_HOT=100000` for the full size: as many updates of one row, and as many rows. */
const COUNT = Number(process.env['MILLRACE_TEST_HOT'] ?? 5000)
const BATCH = 100
const WORKERS = 4
const HOT_ID = 10_000_000
/** Set aside behind one group at most; what a tick adds on top is one scan's worth. */
const WAITING_MAX = 10_000

test(
  'a hot group and a wide one are worked off side by side, in full batches, with few set aside',
  { timeout: 60_000 + COUNT * 20 },
  async ({ storage }) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    const process = await startProcess(storage)
    const hotSeqs: number[] = []
    for (let first = 1; first <= COUNT; first += 1000) {
      const rows = orders(Math.min(1000, COUNT - first + 1), first)
      const last = await source.append(
        rows.flatMap((row) => [row, { id: HOT_ID, action: 'update' as const }]),
      )
      for (let seq = last - 2 * rows.length + 2; seq <= last; seq += 2) hotSeqs.push(seq)
    }
    const hot = new Set(hotSeqs)

    const seen: number[] = []
    let acked = 0
    let receives = 0
    let waitingMax = 0
    /** How many clients hold messages of the hot row right now. */
    let holders = 0
    const work = async (): Promise<void> => {
      while (acked < 2 * COUNT) {
        const { messages } = await process.receive(consumer, { batchSize: BATCH, waitMs: 100 })
        if (messages.length === 0) continue
        receives += 1
        const ofHot = messages.map(({ seq }) => seq).filter((seq) => hot.has(seq))
        if (ofHot.length > 0) {
          holders += 1
          expect(holders).toBe(1)
          seen.push(...ofHot)
          // Others run meanwhile; from the ack on, before its answer, the next may come.
          await new Promise((resolve) => setImmediate(resolve))
          holders -= 1
        }
        await process.ack(consumer, messages)
        acked += messages.length
        if (receives % 10 === 0) {
          const { waiting } = await process.queues.getStats(consumer)
          waitingMax = Math.max(waitingMax, waiting)
        }
      }
    }
    await Promise.all(Array.from({ length: WORKERS }, work))
    await process.stop()

    expect(acked).toBe(2 * COUNT)
    expect(seen).toEqual(hotSeqs)
    expect(waitingMax).toBeLessThanOrEqual(WAITING_MAX)
    // Whole batches: neither group makes the other trickle.
    expect(receives).toBeLessThanOrEqual(((2 * COUNT) / BATCH) * 1.5)
  },
)
