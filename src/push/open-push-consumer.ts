import { pushContext } from '../queue/consumer-store.ts'
import type { Consumer } from '../queue/consumer.ts'
import { readConsumer } from '../queue/read-consumer.ts'
import type { Db } from '../storage/database.ts'
import type { PushConfig } from '../storage/schema-types.ts'
import { unseal } from '../storage/seal.ts'
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
 * @throws MillraceError `secret_key_missing` without the key that they were sealed with
 */
export function openSecrets(
  consumer: Pick<Consumer, 'id'>,
  sealed: Buffer | null,
  secretKey: Buffer | undefined,
): PushSecrets {
  if (sealed === null) return { headers: {}, secrets: [] }
  return openPushSecrets(sealed, (bytes) => unseal(secretKey, bytes, pushContext(consumer.id)))
}
