import type { Consumer } from '../../../src/queue/consumer.ts'
import type { Database } from '../../../src/storage/database.ts'
import { moveClock } from '../../support/given.ts'
import { messagesOf, type Receiver } from './receiver.ts'
import { until } from './until.ts'

/** The rows whose messages the webhook got, in the order in which they came. */
export function ids(receiver: Receiver): number[] {
  return receiver.requests.flatMap(messagesOf).map(({ record }) => record.id)
}

/** Resolves when nothing up to this change is left to do. */
export async function untilSettled(
  storage: Database,
  consumer: Consumer,
  lastSeq: number,
): Promise<void> {
  await until('everything is acked', async () => {
    const { rows } = await storage.pool.query<{ settled: boolean }>(
      `select (select cursor_seq from millrace.tick where consumer_no = $1 order by version desc limit 1) >= $2
          and not exists (select from millrace.lease where consumer_no = $1)
          and not exists (select from millrace.delivery where consumer_no = $1 and state <> 'acked')
          as settled`,
      [consumer.consumerNo, lastSeq],
    )
    return rows[0]!.settled
  })
}

/** Less than any lease of push lasts. */
const SKIP_MS_MAX = 10_000

/**
 * Moves the storage's clock on towards the consumer's next retry, unless it has
 * something leased: what is under way at this moment must not lose its lease.
 */
export async function skipToRetry(storage: Database, consumer: Consumer): Promise<void> {
  const { rows } = await storage.pool.query<{ wait_ms: number | null }>(
    `select (extract(epoch from min(visible_at) - millrace.clock()) * 1000)::float8 as wait_ms
     from millrace.delivery
     where consumer_no = $1 and state = 'retrying'
       and not exists (select from millrace.lease where consumer_no = $1)`,
    [consumer.consumerNo],
  )
  const waitMs = rows[0]!.wait_ms ?? 0
  if (waitMs > 0) await moveClock(storage, Math.min(Math.ceil(waitMs), SKIP_MS_MAX))
}
