import type { Received, ReceiveOptions } from './queue-service.ts'
import type { ClaimRequest } from './state/claim-messages.ts'

/** One receive call that waits: it ends with messages, when its time is over, or when its caller goes. */
export class Waiter {
  readonly promise: Promise<Received>
  readonly request: ClaimRequest
  /** Nobody waits for messages any more: the caller hung up, or has its answer. */
  isGone = false
  /** Its time is over; it is answered after the look that may be under way. */
  isOver: boolean
  #resolve!: (received: Received) => void
  #reject!: (error: unknown) => void
  readonly #timer: NodeJS.Timeout | undefined
  readonly #signal: AbortSignal | undefined
  readonly #onAbort: () => void

  /** `onOver` is called when `isGone` or `isOver` turned true, not from within the constructor. */
  constructor(options: ReceiveOptions, visibilityTimeoutMs: number, onOver: () => void) {
    this.request = {
      batchSize: options.batchSize,
      maxBytes: options.maxBytes,
      visibilityTimeoutMs: options.visibilityTimeoutMs ?? visibilityTimeoutMs,
      worker: options.worker ?? null,
    }
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.isOver = options.waitMs === 0
    if (!this.isOver) {
      this.#timer = setTimeout(() => {
        this.isOver = true
        onOver()
      }, options.waitMs)
    }
    this.#signal = options.signal
    this.#onAbort = () => {
      this.isGone = true
      onOver()
      this.finish({ messages: [], limitedBy: null, giveBack: () => Promise.resolve() })
    }
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  finish(received: Received): void {
    this.isGone = true
    this.#cleanUp()
    this.#resolve(received)
  }

  fail(error: unknown): void {
    this.#cleanUp()
    this.#reject(error)
  }

  #cleanUp(): void {
    clearTimeout(this.#timer)
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }
}
