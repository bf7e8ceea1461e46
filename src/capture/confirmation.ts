import { ofStorage } from './of-storage.ts'
import type { ReaderMetrics } from './reader-metrics.ts'
import { saveConfirmed, type Turn } from './reader-state.ts'
import type { ReaderTiming } from './reader-timing.ts'

interface ConfirmationOptions {
  readonly turn: Turn
  readonly timing: ReaderTiming
  readonly metrics: ReaderMetrics
  /** What is stored as the session begins. */
  readonly knownLsn: bigint
  /** Tells the source. */
  readonly send: (lsn: bigint) => void
  /** Something was read of which not all is stored. */
  readonly isBusy: () => boolean
  readonly onError: (error: unknown) => void
}

/** What the source is told to be stored: the one place where it is told anything. */
export class Confirmation {
  readonly #options: ConfirmationOptions
  /** Two numbers, never one: what was decoded is not yet stored. */
  #received: bigint
  #durable: bigint
  #idleAt = 0
  #idleSave: Promise<void> | undefined
  #stopped = false

  constructor(options: ConfirmationOptions) {
    this.#options = options
    this.#received = options.knownLsn
    this.#durable = options.knownLsn
  }

  noteReceived(lsn: bigint): void {
    this.#received = lsn
  }

  /** Everything before `lsn` is durable in the storage. */
  confirm(lsn: bigint): void {
    if (lsn > this.#durable) {
      this.#durable = lsn
      this.#options.send(lsn)
    }
    this.#measureLag(this.#received)
  }

  /**
   * The source has nothing for us up to `lsn`. Unless something is on its way it may
   * forget what lies before; that is written down first, and not for every byte.
   */
  idle(lsn: bigint, urgent: boolean): void {
    this.#measureLag(lsn)
    const { timing, turn, isBusy, onError } = this.#options
    if (this.#stopped || this.#idleSave || lsn <= this.#durable || isBusy()) return
    const now = performance.now()
    const soon =
      urgent ||
      lsn - this.#durable >= timing.idleConfirmBytes ||
      now - this.#idleAt >= timing.idleConfirmMs
    if (!soon) return
    this.#idleAt = now
    this.#idleSave = ofStorage(saveConfirmed(turn, lsn))
      .then(() => this.confirm(lsn))
      .finally(() => {
        this.#idleSave = undefined
      })
    this.#idleSave.catch(onError)
  }

  stop(): void {
    this.#stopped = true
  }

  #measureLag(serverLsn: bigint): void {
    const lag = serverLsn - this.#durable
    this.#options.metrics.lagBytes = lag > 0n ? Number(lag) : 0
  }
}
