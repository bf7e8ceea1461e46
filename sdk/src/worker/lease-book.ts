import { LeaseLostError } from '../errors.ts'
import type { Message } from '../message.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import { giveBackAfter, type Outcome } from './outcome.ts'
import type { QueueCalls, SettledStatus } from './queue-calls.ts'
import { Settler } from './settler.ts'
import type { WorkerEvents } from './worker-events.ts'
import type { WorkerSettings } from './worker-options.ts'

export interface LeaseBookOptions<Row> {
  queue: QueueCalls
  settings: WorkerSettings<Row>
  emit: <Name extends keyof WorkerEvents<Row>>(name: Name, event: WorkerEvents<Row>[Name]) => void
  /** Told of every request that failed; those that will never succeed end the worker. */
  onError: (error: unknown, during: 'extend' | 'settle', message?: Message<Row>) => void
  /** Leases ended that nobody settled. */
  onLost: (error: LeaseLostError) => void
  /** The server has answered for a message, or will not. */
  onSettled: () => void
}

/** The leases that a worker holds, from their receipt to the answer to their settlement. */
export class LeaseBook<Row> {
  readonly #options: LeaseBookOptions<Row>
  readonly #keeper: LeaseKeeper
  readonly #settler: Settler<SettledStatus>
  readonly #abort = new AbortController()
  #settling = 0

  constructor(options: LeaseBookOptions<Row>) {
    const { queue, onError, onLost } = options
    const { visibilityTimeoutMs, lingerMs } = options.settings
    this.#options = options
    this.#keeper = new LeaseKeeper({
      visibilityTimeoutMs,
      extend: (ackIds, timeoutMs) => queue.extend(ackIds, { visibilityTimeoutMs, timeoutMs }),
      onLost,
      onError: (error) => onError(error, 'extend'),
    })
    this.#settler = new Settler({
      lingerMs,
      settle: (settlements) => queue.settle(settlements, this.#abort.signal),
    })
  }

  /** Settlements that are not answered. */
  get settling(): number {
    return this.#settling
  }

  add(messages: readonly Message<Row>[]): void {
    this.#keeper.add(messages.map(({ ack_id }) => ack_id))
  }

  /** True: the lease of one of them may have run out; `confirm` finds out. */
  areDoubtful(messages: readonly Message<Row>[]): boolean {
    return messages.some(({ ack_id }) => this.#keeper.isDoubtful(ack_id))
  }

  /** Never rejects. */
  confirm(): Promise<void> {
    return this.#keeper.extendNow()
  }

  /** Never rejects. */
  async settle(message: Message<Row>, outcome: Outcome): Promise<void> {
    this.#settling++
    try {
      await this.#keeper.release(message.ack_id)
      this.#report(message, await this.#settler.add(message.ack_id, outcome))
    } catch (error) {
      this.#options.onError(error, 'settle', message)
    }
    this.#settling--
    this.#options.onSettled()
  }

  giveBack(messages: readonly Message<Row>[], delay = 0): void {
    for (const message of messages) void this.settle(message, giveBackAfter(delay))
  }

  /** For a server that does not answer: the leases will end by themselves. */
  abort(reason: Error): void {
    this.#abort.abort(reason)
  }

  #report(message: Message<Row>, status: SettledStatus): void {
    const { emit } = this.#options
    if (status === 'lease_lost') {
      const error = new LeaseLostError([message.ack_id])
      emit('leaseLost', { message, phase: 'settling', error })
    } else emit('settled', { message, status: status === 'already_acked' ? 'acked' : status })
  }
}
