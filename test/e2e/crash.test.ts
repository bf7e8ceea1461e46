import { afterEach, describe, expect } from 'vitest'

import type { Database } from '../../src/storage/database.ts'
import { test, uniqueName } from '../support/database.ts'
import { holdFlush } from './support/hold-flush.ts'
import { OrderConsumer } from './support/order-consumer.ts'
import { formatChange, ORDERS, OrderWriter } from './support/order-writer.ts'
import { Progress } from './support/progress.ts'
import { chooseSeed, Random } from '../support/random.ts'
import { connectShop, killServers, startServer, type ServerProcess } from './support/serve.ts'

/** `MILLRACE_TEST_ORDERS=100000` for the full size. */
const ORDER_COUNT = Number(process.env['MILLRACE_TEST_ORDERS'] ?? 5000)
const CONSUMERS = ['inventory', 'shipping', 'invoicing']
/** In the progress, an order counts when it is written and in three steps of each consumer. */
const STEPS = 1 + 3 * CONSUMERS.length
/** The writer is this far ahead of the slowest consumer at most. */
const AHEAD_MAX = Math.max(500, ORDER_COUNT / 50)

const MOMENTS = ['written', 'received', 'ack sent', 'acked']
/**
 * Three at any moment, and two while a flush is under way. Of such a flush the
 * server does not learn how it ended: once it was stored, once it was not.
 */
const KILLS = ['any', 'any', 'any', 'flush is stored', 'flush is lost'] as const

afterEach(killServers)

/** Changes in the order of the log. */
async function readLog(storage: Database): Promise<string[]> {
  const { rows } = await storage.pool.query<{ record: string }>(
    'select record from millrace.log order by seq',
  )
  return rows.map(({ record }) => {
    const { id, version } = JSON.parse(record) as { id: number; version: number }
    return formatChange(id, version)
  })
}

async function describeReader(storage: Database): Promise<string> {
  const { rows } = await storage.pool.query('select * from millrace.reader')
  return JSON.stringify(rows)
}

describe('a server that is killed', () => {
  test(
    'loses no change, stores none twice, and keeps the order of each row',
    {
      timeout: 60_000 + ORDER_COUNT * 10,
    },
    async ({ storage, shop }) => {
      const random = new Random(chooseSeed('crash'))
      const progress = new Progress()
      await shop.query(ORDERS)
      let server: ServerProcess = await startServer(storage.url)
      await connectShop(server.url, shop.url, CONSUMERS, {
        slot: uniqueName('crash'),
        visibility_timeout_ms: 1000,
      })
      const consumers = CONSUMERS.map((name) => new OrderConsumer(name, () => server.url, progress))
      const slowest = (): number => Math.min(...consumers.map(({ acked }) => acked.size))
      const writer = new OrderWriter(shop.query, random, ORDER_COUNT)
      let reader = ''
      const until = (what: string, condition: () => boolean | Promise<boolean>): Promise<void> =>
        progress.until(
          what,
          async () => {
            if (await condition()) return true
            reader = await describeReader(storage)
            return false
          },
          () => `${reader}\n${writer.committed.length} written, ${slowest()} acked by the slowest
${server.readText()}`,
        )

      const write = async (): Promise<void> => {
        while (writer.orders < ORDER_COUNT) {
          await until('consumers keep up', () => writer.committed.length - slowest() < AHEAD_MAX)
          const before = writer.committed.length
          await writer.write()
          progress.note('written', writer.committed.length - before)
        }
      }

      /** Resolves in the very moment, with the signal already sent. */
      const killAt = (at: number): Promise<void> =>
        new Promise((resolve, reject) => {
          const moment = random.pick(MOMENTS)
          progress.at(at, moment, () => server.kill().then(resolve, reject))
        })
      const killInFlush = async (at: number, isStored: boolean): Promise<void> => {
        await new Promise<void>((resolve) => progress.at(at, 'written', resolve))
        const flush = await holdFlush(storage.url)
        await until('a flush is under way', flush.isHeld)
        await server.kill()
        await (isStored ? flush.release() : flush.cancel())
      }
      const killAndRestart = async (): Promise<void> => {
        const steps = ORDER_COUNT * STEPS
        for (const [index, kill] of random.shuffle(KILLS).entries()) {
          const at = (steps * (index + 0.5 + random.next())) / (KILLS.length + 1.5)
          if (kill === 'any') await killAt(at)
          else await killInFlush(at, kill === 'flush is stored')
          server = await startServer(storage.url)
        }
      }

      for (const consumer of consumers) consumer.start()
      try {
        await Promise.all([write(), killAndRestart()])
        await until('all is acked', () => slowest() >= writer.committed.length)
      } finally {
        await Promise.all(consumers.map((consumer) => consumer.stop()))
      }

      const expected = writer.committed.toSorted()
      expect(writer.orders).toBeGreaterThanOrEqual(ORDER_COUNT)
      // One writer: the log is in its order, with nothing missing, added or doubled.
      expect(await readLog(storage)).toEqual(writer.committed)
      for (const { acked, disorder } of consumers) {
        expect([...acked].toSorted()).toEqual(expected)
        expect(disorder).toEqual([])
      }
      const { rows } = await storage.pool.query('select gaps from millrace.reader')
      expect(rows).toEqual([{ gaps: [] }])
    },
  )
})
