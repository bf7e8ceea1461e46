import { findSource, type Source } from '../capture/source.ts'
import type { Consumer } from '../queue/consumer.ts'
import type { QueueService } from '../queue/queue-service.ts'
import type { Db } from '../storage/database.ts'
import { createNotFound } from './auth.ts'

/**
 * The consumer that a path names, as the queues know it.
 * @throws MillraceError `not_found`
 */
export async function expectConsumer(
  queues: Pick<QueueService, 'findConsumer'>,
  reference: string,
): Promise<Consumer> {
  const consumer = await queues.findConsumer(reference)
  if (!consumer) throw createNotFound('consumer', reference)
  return consumer
}

/** @throws MillraceError `not_found` */
export async function expectSource(db: Db, reference: string): Promise<Source> {
  const source = await findSource(db, reference)
  if (!source) throw createNotFound('source', reference)
  return source
}
