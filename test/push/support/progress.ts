import type { Consumer } from '../../../src/queue/consumer.ts'
import type { Database } from '../../../src/storage/database.ts'
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
