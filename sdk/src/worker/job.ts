import { LeaseLostError } from '../errors.ts'
import type { Message } from '../message.ts'
import { describeIssues, type StandardSchema } from '../standard-schema.ts'
import { PermanentError } from './outcome.ts'
import type { BatchResult, HandleBatch } from './worker-options.ts'

/** Messages one call of the handler is busy with. */
export class Job<Row> {
  readonly messages: readonly Message<Row>[]
  readonly startedAt = performance.now()
  /** Took too long: its messages are nacked already, but the handler has not returned. */
  overdue = false
  readonly #controller = new AbortController()
  readonly #open: Set<Message<Row>>

  constructor(messages: readonly Message<Row>[]) {
    this.messages = messages
    this.#open = new Set(messages)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get durationMs(): number {
    return performance.now() - this.startedAt
  }

  abort(reason: Error): void {
    this.#controller.abort(reason)
  }

  /** False: something was decided for this message before. Nothing may be settled twice. */
  close(message: Message<Row>): boolean {
    return this.#open.delete(message)
  }

  /** Nothing is settled for messages that are lost, and the handler is told. */
  lose(error: LeaseLostError): Message<Row>[] {
    const lost = [...this.#open].filter((message) => error.ackIds.includes(message.ack_id))
    for (const message of lost) this.#open.delete(message)
    if (lost.length > 0) this.abort(error)
    return lost
  }

  /** Runs the handler; answers the error of each message that failed. */
  async run(
    handleBatch: HandleBatch<Row>,
    schema: StandardSchema<Row> | undefined,
  ): Promise<Map<Message<Row>, unknown>> {
    const failed = new Map<Message<Row>, unknown>()
    /** Back from what the handler was given to what was received. */
    const received = new Map<Message<Row>, Message<Row>>()
    for (const message of this.messages) {
      try {
        received.set(schema ? await validate(message, schema) : message, message)
      } catch (error) {
        failed.set(message, error)
      }
    }
    if (received.size === 0) return failed
    try {
      const result = await handleBatch([...received.keys()], { signal: this.signal })
      for (const { message, error } of (result as BatchResult<Row> | undefined)?.failed ?? []) {
        failed.set(received.get(message) ?? message, error)
      }
    } catch (error) {
      for (const message of received.values()) failed.set(message, error)
    }
    return failed
  }
}

/** A deleted row may be no more than its key, and a truncated table has none: these pass. */
async function validate<Row>(
  message: Message<Row>,
  schema: StandardSchema<Row>,
): Promise<Message<Row>> {
  if (message.action === 'delete' || message.action === 'truncate') return message
  const result = await schema['~standard'].validate(message.record)
  if (!result.issues) return { ...message, record: result.value }
  throw new PermanentError(`the record does not match the schema: ${describeIssues(result.issues)}`)
}
