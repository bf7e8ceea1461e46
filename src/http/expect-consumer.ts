import { createNotFound } from '../errors.ts'
import type { Consumer } from '../queue/consumer.ts'
import type { QueueService } from '../queue/queue-service.ts'

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
