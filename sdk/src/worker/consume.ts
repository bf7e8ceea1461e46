import type { UnknownRow } from '../message.ts'
import type { QueueClient } from '../queue-client.ts'
import { Desk, type ConsumedMessage } from './desk.ts'
import { readWorkerOptions } from './worker-options.ts'
import { QueueWorker } from './worker.ts'

export interface ConsumeOptions {
  /** Ends the loop as `break` does. */
  signal?: AbortSignal
  /** Messages asked for at once; 10. */
  batchSize?: number
  /** How soon others get our messages if this process dies; 30 s. Extended while we live. */
  visibilityTimeoutMs?: number
  /** A message that is not settled for so long is nacked. 15 min; Infinity: never. */
  maxProcessingMs?: number
  /** What messages that are not settled when the loop ends have for it; then they are given back. 0. */
  graceMs?: number
  /** A label shown to operators. */
  name?: string
}

/**
 * The messages of a consumer as an endless loop. A worker does the work behind it: leases
 * are extended until a message is settled, messages of one group come one after another,
 * and of each the next comes when the one before is settled.
 * @throws what no retry will mend: AuthError, NotFoundError, ConflictError, ValidationError
 */
export async function* consume<Row = UnknownRow>(
  client: QueueClient,
  consumer: string,
  { signal, graceMs = 0, ...options }: ConsumeOptions = {},
): AsyncGenerator<ConsumedMessage<Row>, void, undefined> {
  const desk = new Desk<Row>()
  const settings = readWorkerOptions<Row>({
    ...options,
    consumer,
    handle: (message, context) => desk.handOver(message, context.signal),
  })
  // No handler starts before the loop asks for its message: until then it waits, unread.
  const concurrency = { get: () => desk.unsettled + desk.wanted }
  const worker = new QueueWorker<Row>(
    client,
    Object.defineProperty({ ...settings, lingerMs: 0 }, 'concurrency', concurrency),
  )
  desk.serve(worker, (ackId) =>
    client.extend(consumer, [ackId], { visibilityTimeoutMs: settings.visibilityTimeoutMs }),
  )
  const onAbort = () => {
    desk.close()
    void worker.stop({ graceMs: Infinity })
  }
  signal?.addEventListener('abort', onAbort, { once: true })
  if (signal?.aborted) onAbort()
  const running = worker.run().finally(() => desk.close())
  // It is awaited below; until then nobody listens.
  running.catch(() => {})
  try {
    for (let message = await desk.next(); message; message = await desk.next()) yield message
  } finally {
    signal?.removeEventListener('abort', onAbort)
    desk.close()
    await worker.stop({ graceMs })
  }
  await running
}
