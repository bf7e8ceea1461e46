import type { LeaseLostError } from '../errors.ts'
import type { Message } from '../message.ts'
import { readTraceparent, withSpan } from '../telemetry.ts'
import { GroupBuffer } from './group-buffer.ts'
import { Job } from './job.ts'
import { LeaseBook, type LeaseBookOptions } from './lease-book.ts'
import { isChosen, outcomeOfError, ProcessingTimeoutError, WorkerStoppedError } from './outcome.ts'
import { startTimer } from './start-timer.ts'
import type { WorkerSettings } from './worker-options.ts'

export type HandlerPoolOptions<Row> = Omit<LeaseBookOptions<Row>, 'onLost' | 'onSettled'>

/** While this many settlements are unanswered no more messages are asked for. */
const SETTLING_MAX = 1000

/**
 * Holds the messages of a worker from their receipt to their settlement.
 *
 * | a message is | until                                | then                               |
 * | ------------ | ------------------------------------ | ---------------------------------- |
 * | waiting      | a handler and its group are free     | handling                           |
 * |              | an earlier one of its group is nacked| given back, to come after that one |
 * |              | its lease is lost                    | gone: nothing is settled           |
 * | handling     | the handler returns or throws        | settling                           |
 * |              | `maxProcessingMs` is over            | settling, though the handler runs  |
 * |              | its lease is lost                    | gone: nothing is settled           |
 * | settling     | the server answers, or never does    | gone                               |
 */
export class HandlerPool<Row> {
  readonly #options: HandlerPoolOptions<Row>
  readonly #settings: WorkerSettings<Row>
  readonly #buffer = new GroupBuffer<Message<Row>>(groupOf)
  readonly #leases: LeaseBook<Row>
  readonly #jobs = new Set<Job<Row>>()
  #handling = 0
  #confirming = false
  #closed = false
  #onChange: (() => void)[] = []

  constructor(options: HandlerPoolOptions<Row>) {
    this.#options = options
    this.#settings = options.settings
    this.#leases = new LeaseBook({
      ...options,
      onLost: (error) => this.#lose(error),
      onSettled: () => this.wake(),
    })
  }

  /** How many messages to ask for; 0: none, until something changes. */
  get room(): number {
    const { batchSize, concurrency, messagesPerCall } = this.#settings
    if (this.#leases.settling >= SETTLING_MAX || this.#isStuck()) return 0
    const free = concurrency * messagesPerCall + batchSize - this.#handling - this.#buffer.size
    // Not a receive per finished message: half a batch at least.
    return free < batchSize / 2 ? 0 : Math.min(free, batchSize)
  }

  /** Resolves when a message has left the pool, or `wake` is called. */
  waitForChange(): Promise<void> {
    return new Promise((resolve) => this.#onChange.push(resolve))
  }

  wake(): void {
    for (const resolve of this.#onChange.splice(0)) resolve()
  }

  get isIdle(): boolean {
    return this.#jobs.size === 0 && this.#leases.settling === 0
  }

  accept(messages: readonly Message<Row>[]): void {
    this.#leases.add(messages)
    if (this.#closed || this.#isStuck()) return this.#leases.giveBack(messages)
    const overdue = new Set([...this.#jobs].filter((job) => job.overdue).flatMap(groupsOf))
    for (const message of messages) {
      if (overdue.has(groupOf(message))) this.#leases.giveBack([message], this.#awayMs())
      else this.#buffer.push(message)
    }
    this.#dispatch()
  }

  /** For settings whose concurrency changes: starts what may now be started. */
  refresh(): void {
    this.#dispatch()
    this.wake()
  }

  /** Starts no more handlers; what waits is given back for others to have at once. */
  close(): void {
    this.#closed = true
    this.#leases.giveBack(this.#buffer.removeAll())
  }

  abortHandlers(reason: Error): void {
    for (const job of this.#jobs) job.abort(reason)
  }

  /** Gives back the messages of handlers that did not heed their signal, and waits for them no more. */
  abandonHandlers(): void {
    for (const job of this.#jobs)
      this.#leases.giveBack(job.messages.filter((message) => job.close(message)))
    this.#jobs.clear()
    this.wake()
  }

  /** For a server that does not answer: the leases will end by themselves. */
  abortSettlements(reason: Error): void {
    this.#leases.abort(reason)
  }

  #dispatch(): void {
    const { concurrency, messagesPerCall } = this.#settings
    while (!this.#closed && this.#jobs.size < concurrency) {
      const next = this.#buffer.peek(messagesPerCall)
      if (next.length === 0) return
      // After a blocked event loop others may have these: ask before starting on them.
      if (this.#leases.areDoubtful(next)) return this.#confirmLeases()
      void this.#handle(new Job(this.#buffer.take(messagesPerCall)))
    }
  }

  #confirmLeases(): void {
    if (this.#confirming) return
    this.#confirming = true
    void this.#leases.confirm().then(() => {
      this.#confirming = false
      this.#dispatch()
    })
  }

  async #handle(job: Job<Row>): Promise<void> {
    const { consumer, handleBatch, schema, maxProcessingMs } = this.#settings
    this.#jobs.add(job)
    this.#handling += job.messages.length
    const timer = startTimer(() => this.#expire(job), maxProcessingMs)
    const failed = await withSpan(
      {
        operation: 'process',
        consumer,
        attributes: { 'messaging.batch.message_count': job.messages.length },
        links: job.messages.flatMap((it) => readTraceparent(it.metadata.transaction_annotations)),
      },
      async (span) => {
        const errors = await job.run(handleBatch, schema)
        for (const error of errors.values()) span.fail(error)
        return errors
      },
    )
    clearTimeout(timer)
    this.#jobs.delete(job)
    this.#handling -= job.messages.length
    for (const message of job.messages) {
      if (!job.close(message)) continue
      if (failed.has(message)) this.#fail(job, message, failed.get(message))
      else this.#succeed(job, message)
    }
    for (const group of groupsOf(job)) this.#buffer.release(group)
    this.wake()
    this.#dispatch()
  }

  #succeed({ durationMs }: Job<Row>, message: Message<Row>): void {
    this.#options.emit('processed', { message, durationMs })
    void this.#leases.settle(message, { kind: 'ack' })
  }

  #fail({ signal, durationMs }: Job<Row>, message: Message<Row>, error: unknown): void {
    const stopped = signal.reason instanceof WorkerStoppedError
    if (stopped && !isChosen(error)) return this.#leases.giveBack([message])
    const outcome = outcomeOfError(error)
    if (outcome.kind === 'ack') return
    this.#options.emit('failed', { message, error, durationMs, outcome: outcome.kind })
    void this.#leases.settle(message, outcome)
    // A dead message frees its group; one that will be retried goes before those behind it.
    if (outcome.kind === 'nack') this.#giveBackBehind(message)
  }

  /** Its handler keeps its place, for nobody can end it; its messages do not wait for it. */
  #expire(job: Job<Row>): void {
    const error = new ProcessingTimeoutError(this.#settings.maxProcessingMs)
    job.overdue = true
    job.abort(error)
    for (const group of groupsOf(job)) {
      this.#leases.giveBack(this.#buffer.removeKey(group), this.#awayMs())
    }
    for (const message of job.messages) if (job.close(message)) this.#fail(job, message, error)
    if (this.#isStuck()) this.#leases.giveBack(this.#buffer.removeAll())
  }

  /** Every handler is overdue. */
  #isStuck(): boolean {
    if (this.#jobs.size === 0 || this.#jobs.size < this.#settings.concurrency) return false
    return [...this.#jobs].every((job) => job.overdue)
  }

  /** Long enough that what this worker cannot handle goes to another, or comes back later. */
  #awayMs(): number {
    return this.#settings.visibilityTimeoutMs
  }

  #lose(error: LeaseLostError): void {
    const ids = new Set(error.ackIds)
    const waiting = this.#buffer.removeIf(({ ack_id }) => ids.has(ack_id))
    const handling = [...this.#jobs].flatMap((job) => job.lose(error))
    for (const message of waiting)
      this.#options.emit('leaseLost', { message, phase: 'waiting', error })
    for (const message of handling) {
      this.#options.emit('leaseLost', { message, phase: 'handling', error })
    }
    // They will be delivered again, and before those behind them.
    for (const message of [...waiting, ...handling]) this.#giveBackBehind(message)
    this.wake()
  }

  /** What came with a message that will come again; what came after it came again stays. */
  #giveBackBehind(message: Message<Row>): void {
    const { idempotency_key } = message.metadata
    const isAgain = (it: Message<Row>) => it.metadata.idempotency_key === idempotency_key
    this.#leases.giveBack(this.#buffer.removeKey(groupOf(message), isAgain))
  }
}

/** Messages without a group have one of their own: nothing is handled twice at the same time. */
function groupOf({ delivery, metadata }: Message<unknown>): string {
  return delivery.group === null ? `=${metadata.idempotency_key}` : `~${delivery.group}`
}

function groupsOf(job: Job<unknown>): string[] {
  return [...new Set(job.messages.map(groupOf))]
}
