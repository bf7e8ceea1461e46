import type { Consumer } from '../../../src/queue/consumer.ts'
import { createAddressGuard } from '../../../src/push/address-guard.ts'
import { createPushSecrets, sealPushSecrets } from '../../../src/push/push-secrets.ts'
import { PushWorkers, type PushWorkersOptions } from '../../../src/push/push-workers.ts'
import { pushContext } from '../../../src/queue/consumer-store.ts'
import type { Database } from '../../../src/storage/database.ts'
import type { PushConfig } from '../../../src/storage/schema-types.ts'
import { seal } from '../../../src/storage/seal.ts'
import { test as base } from '../../support/database.ts'
import { givenConsumer, silentLogger } from '../../support/given.ts'
import { startProcess, type TestProcess } from '../../support/queues.ts'
import { startReceiver, type Receiver } from './receiver.ts'

export const SECRET_KEY = Buffer.alloc(32, 7)

/** A consumer that pushes everything of a source to a URL, with headers and a secret. */
export async function givenPushConsumer(
  storage: Database,
  sourceNo: number,
  url: string,
  settings: { name?: string; max_deliveries?: number; push?: Partial<PushConfig> } = {},
): Promise<Consumer & { secret: string }> {
  const { push, ...rest } = settings
  const consumer = await givenConsumer(storage, sourceNo, {
    ...rest,
    ...({ mode: 'push', push: JSON.stringify(pushTo(url, push)) } as object),
  })
  const secrets = createPushSecrets({ 'x-tenant': 'acme' })
  await storage.db
    .updateTable('millrace.consumer')
    .set({
      push_sealed: sealPushSecrets(secrets, (text) =>
        seal(SECRET_KEY, text, pushContext(consumer.id)),
      ),
    })
    .where('consumer_no', '=', consumer.consumerNo)
    .execute()
  return { ...consumer, secret: secrets.secrets[0]!.secret }
}

function pushTo(url: string, push: Partial<PushConfig> = {}): PushConfig {
  return {
    url,
    batch_size: 1,
    timeout_ms: 15_000,
    max_in_flight: 10,
    rate_per_second: null,
    allow_http: false,
    ...push,
  }
}

export interface PushProcess extends TestProcess {
  workers: PushWorkers
}

interface PushFixtures {
  /** A webhook, closed when the test ends. */
  givenReceiver: (answer: Parameters<typeof startReceiver>[0]) => Promise<Receiver>
  /** A server process with the role `push`, stopped when the test ends. */
  startPush: (
    options?: Partial<PushWorkersOptions> & { hasPeers?: boolean },
  ) => Promise<PushProcess>
}

/** A test with a storage, webhooks and push processes of its own. */
export const test = base.extend<PushFixtures>({
  givenReceiver: async ({}, use) => {
    const receivers: Receiver[] = []
    await use(async (answer) => {
      const receiver = await startReceiver(answer)
      receivers.push(receiver)
      return receiver
    })
    await Promise.all(receivers.map((receiver) => receiver.close()))
  },
  // Beside the storage it needs the webhooks: they close after the processes have stopped.
  startPush: async ({ storage, givenReceiver }, use) => {
    void givenReceiver
    const processes: PushProcess[] = []
    await use(async (options) => {
      const started = await startPushProcess(storage, options)
      processes.push(started)
      return started
    })
    await Promise.all(processes.map((process) => process.stop()))
  },
})

async function startPushProcess(
  storage: Database,
  options: Partial<PushWorkersOptions> & { hasPeers?: boolean } = {},
): Promise<PushProcess> {
  const { hasPeers = false, ...more } = options
  const process = await startProcess(storage, { hasPeers })
  const workers = new PushWorkers({
    database: storage,
    queue: process.queues,
    logger: silentLogger,
    guard: createAddressGuard(['127.0.0.0/8']),
    secretKey: SECRET_KEY,
    userAgent: 'Millrace/test',
    refreshMs: 200,
    ...more,
  })
  await workers.start()
  let stopped: Promise<void> | undefined
  return {
    ...process,
    workers,
    stop: () => (stopped ??= workers.stop().then(() => process.stop())),
  }
}
