import { Queues } from '../../src/queue/queues.ts'
import type { Consumer } from '../../src/queue/consumer.ts'
import type { LeasedMessage, Received, Settlement } from '../../src/queue/queue-service.ts'
import { openDatabase, type Database } from '../../src/storage/database.ts'
import { silentLogger } from './given.ts'

/** One server process's queues, as a test sees them. */
export interface TestProcess {
  queues: Queues
  receive(
    consumer: Consumer,
    options?: Partial<{
      batchSize: number
      waitMs: number
      visibilityTimeoutMs: number
      maxBytes: number
      signal: AbortSignal
    }>,
  ): Promise<Received>
  settle(consumer: Consumer, settlements: Settlement[]): ReturnType<Queues['settle']>
  ack(consumer: Consumer, messages: readonly LeasedMessage[]): Promise<string[]>
  /** How often this process has turned to the storage. */
  countQueries(): number
  stop(): Promise<void>
}

/** Starts queues on a storage with a connection pool of their own. */
export async function startProcess(
  storage: Database,
  options: { hasPeers?: boolean } = {},
): Promise<TestProcess> {
  const database = openDatabase(storage.url)
  let queries = 0
  database.pool.on('acquire', () => (queries += 1))
  const queues = new Queues({
    database,
    logger: silentLogger,
    hasPeers: () => options.hasPeers ?? false,
  })
  await queues.start()
  // Callers come with a name, as over HTTP.
  const find = async ({ name }: Consumer): Promise<Consumer> => {
    const found = await queues.findConsumer(name)
    if (!found) throw new Error(`no consumer ${name}`)
    return found
  }
  return {
    queues,
    countQueries: () => queries,
    async receive(consumer, more = {}) {
      return queues.receive(await find(consumer), {
        batchSize: 10,
        waitMs: 0,
        maxBytes: 4 * 1024 * 1024,
        ...more,
      })
    },
    settle: async (consumer, settlements) => queues.settle(await find(consumer), settlements),
    async ack(consumer, messages) {
      const results = await queues.settle(
        await find(consumer),
        messages.map(({ ackId }) => ({ kind: 'ack', ackId })),
      )
      return results.map(({ status }) => status)
    },
    async stop() {
      await queues.stop()
      await database.close()
    },
  }
}

/** The seqs of what was received. */
export function seqsOf(received: Received): number[] {
  return received.messages.map(({ seq }) => seq)
}

/** Until a tick waits for its turn, as it does while an operator's change is under way. */
export async function untilTickWaits(storage: Database): Promise<void> {
  for (;;) {
    const { rows } = await storage.pool.query(
      `select from pg_locks where locktype = 'advisory' and not granted
       and database = (select oid from pg_database where datname = current_database())`,
    )
    if (rows.length > 0) return
  }
}
