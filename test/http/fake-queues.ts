import type { Consumer } from '../../src/queue/consumer.ts'
import type {
  LeasedMessage,
  QueueService,
  Received,
  ReceiveOptions,
} from '../../src/queue/queue-service.ts'

export function makeConsumer(more: Partial<Consumer> = {}): Consumer {
  return {
    consumerNo: 1,
    id: 'f3e8b2a1-9d7c-4b6a-8f5e-2d1c3b4a5e6f',
    name: 'inventory',
    sourceNo: 1,
    tables: ['*'],
    actions: ['insert'],
    filter: null,
    columns: null,
    kind: 'changes',
    mode: 'pull',
    push: null,
    startFrom: 'now',
    visibilityTimeoutMs: 30_000,
    maxInFlight: 10_000,
    maxWaiting: 100,
    maxDeliveries: null,
    ordering: 'group',
    groupBy: null,
    annotations: {},
    pausedUntilMs: null,
    pauseReason: null,
    configVersion: 1,
    createdAt: new Date(0),
    updatedAt: new Date(0),
    ...more,
  }
}

/** Queues whose receive the test itself answers; everything else does nothing. */
export function makeFakeQueues(
  receive: (options: ReceiveOptions) => Promise<Received>,
  consumer: Consumer = makeConsumer(),
): QueueService {
  return {
    findConsumer: async (reference) =>
      reference === consumer.name || reference === consumer.id ? consumer : undefined,
    receive: (_consumer, options) => receive(options),
    settle: async (_consumer, settlements) =>
      settlements.map(({ ackId }) => ({ ackId, status: 'acked' })),
    noteMoved: () => {},
    getStats: async () => ({
      backlog: 0,
      leased: 0,
      retrying: 0,
      waiting: 0,
      dead: 0,
      waiters: 0,
      oldestUnackedAgeMs: null,
      rates: { delivered: 0, acked: 0, nacked: 0 },
      latency: null,
    }),
    recentAckOf: () => undefined,
  }
}

/** Messages with a record of so many bytes. */
export function makeReceived(count: number, bytes: number, onGiveBack: () => void): Received {
  const record = JSON.stringify({ text: 'x'.repeat(bytes) })
  const messages = Array.from({ length: count }, (_, index): LeasedMessage => {
    const json = `{"ack_id":"a-${index}","record":${record}}`
    return {
      ackId: `a-${index}`,
      seq: index + 1,
      idempotencyKey: String(index),
      attempt: 1,
      group: null,
      size: json.length,
      toJson: () => json,
      toPushJson: () => json,
    }
  })
  return {
    messages,
    limitedBy: null,
    async giveBack() {
      onGiveBack()
    },
  }
}
