import type { Consumer } from '../queue/consumer.ts'
import { readConsumer } from '../queue/read-consumer.ts'
import type { Db } from '../storage/database.ts'
import type { PushConfig } from '../storage/schema-types.ts'
import { openPushSecrets, type PushSecrets } from './push-secrets.ts'

/** A consumer in push mode, as it is stored. */
export interface PushConsumer {
  consumer: Consumer
  push: PushConfig
  sealed: Buffer | null
}

/** All consumers in push mode. */
export async function listPushConsumers(db: Db): Promise<PushConsumer[]> {
  const rows = await db
    .selectFrom('millrace.consumer')
    .selectAll()
    .where('mode', '=', 'push')
    .orderBy('consumer_no')
    .execute()
  return rows.flatMap((row) => {
    const consumer = readConsumer(row)
    // The API refuses push mode without an endpoint; there would be nothing to send to.
    return consumer.push ? [{ consumer, push: consumer.push, sealed: row.push_sealed }] : []
  })
}

/**
 * The headers and signing secrets of a consumer; none were sealed: none.
 * @param open undefined: there is no key in this process
 */
export function openSecrets(
  sealed: Buffer | null,
  open: ((sealed: Buffer) => string) | undefined,
): PushSecrets {
  if (sealed === null) return { headers: {}, secrets: [] }
  if (!open) {
    throw new Error('its headers and signing secrets are sealed and MILLRACE_SECRET_KEY is not set')
  }
  return openPushSecrets(sealed, open)
}
