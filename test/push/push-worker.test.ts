import { expect, test } from 'vitest'

import { createPushSecrets } from '../../src/push/push-secrets.ts'
import { PushWorker } from '../../src/push/push-worker.ts'
import type { Consumer } from '../../src/queue/consumer.ts'
import type { LeasedMessage, Received } from '../../src/queue/queue-service.ts'
import { silentLogger } from '../support/given.ts'
import { CreepingClock } from './support/creeping-clock.ts'

let nextSeq = 1

/** A message as a queue that never runs dry would lease it. */
function leaseMessage(): LeasedMessage {
  const seq = nextSeq++
  const json = JSON.stringify({ record: { id: seq } })
  return {
    ackId: `ack-${seq}`,
    seq,
    idempotencyKey: `key-${seq}`,
    attempt: 1,
    group: null,
    size: json.length,
    toJson: () => json,
    toPushJson: () => json,
  }
}

/** Lets everything run that waits for nothing but its turn. */
async function runTurns(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
}

test('an endpoint that fails is probed for ever, whenever the clock ticks', async () => {
  const clock = new CreepingClock()
  let probes = 0
  const worker = new PushWorker({
    queue: {
      receive: (_consumer, { batchSize }): Promise<Received> =>
        Promise.resolve({
          messages: Array.from({ length: batchSize }, leaseMessage),
          limitedBy: null,
          giveBack: () => Promise.resolve(),
        }),
      settle: (_consumer, settlements) =>
        Promise.resolve(settlements.map(({ ackId }) => ({ ackId, status: 'acked' }))),
    },
    consumer: { name: 'shipping' } as Consumer,
    push: {
      url: 'https://shipping.example/hook',
      batch_size: 1,
      timeout_ms: 15_000,
      max_in_flight: 2,
      rate_per_second: null,
      allow_http: false,
    },
    secrets: createPushSecrets(),
    endpoint: {
      post: (_request, onOutcome) => {
        probes++
        onOutcome({
          status: 500,
          retryAfter: undefined,
          location: undefined,
          body: '',
          isCut: false,
        })
      },
      close: () => Promise.resolve(),
    },
    pause: () => Promise.resolve(),
    clock,
    logger: silentLogger,
    observer: {},
    userAgent: 'Millrace/test',
    label: 'test',
    breaker: { openMsMin: 50, openMsMax: 50 },
  })
  worker.start()
  for (let elapsedMs = 0; elapsedMs < 10_000; elapsedMs += 5) {
    clock.advance(5)
    await runTurns()
  }
  await worker.stop()
  expect(probes).toBeGreaterThan(10_000 / 50 / 2)
})
