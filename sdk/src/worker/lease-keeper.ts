import { LeaseLostError } from '../errors.ts'

export interface LeaseKeeperOptions {
  visibilityTimeoutMs: number
  /**
   * Asks the server to extend; answers the ids whose lease is lost.
   * Must end by itself in `timeoutMs`.
   */
  extend: (ackIds: string[], timeoutMs: number) => Promise<readonly string[]>
  onLost: (lost: LeaseLostError) => void
  onError: (error: unknown) => void
}

/** What one request may extend. */
const EXTEND_IDS_MAX = 1000
/** A tenth is kept back for the time between the server's clock and our hearing of it. */
const TRUST = 0.9

/**
 * Extends the leases it was given, all of them in one go, every third of their time.
 * After a failure it tries again sooner; a lease that ran out meanwhile counts as lost,
 * for someone else may have the message by now.
 */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions
  /** When each lease ends by our clock, unless extended. */
  readonly #deadlines = new Map<string, number>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #beat: { ids: ReadonlySet<string>; done: Promise<void> } | undefined

  constructor(options: LeaseKeeperOptions) {
    this.#options = options
  }

  /** For leases that were just received. */
  add(ackIds: readonly string[]): void {
    const deadline = performance.now() + this.#options.visibilityTimeoutMs * TRUST
    for (const ackId of ackIds) this.#deadlines.set(ackId, deadline)
    if (!this.#beat) this.#schedule(this.#options.visibilityTimeoutMs / 3)
  }

  /**
   * Stops extending a lease. Resolves when no request that extends it is under way:
   * an extend that overtakes a nack would undo its delay.
   */
  async release(ackId: string): Promise<void> {
    this.#deadlines.delete(ackId)
    if (this.#deadlines.size === 0) this.#unschedule()
    if (this.#beat?.ids.has(ackId)) await this.#beat.done
  }

  /** True: it may have run out, as after a blocked event loop. `extendNow` finds out. */
  isDoubtful(ackId: string): boolean {
    const deadline = this.#deadlines.get(ackId)
    return deadline === undefined || performance.now() >= deadline
  }

  /** Never rejects. */
  extendNow(): Promise<void> {
    if (this.#beat) return this.#beat.done
    this.#unschedule()
    const ids = [...this.#deadlines.keys()]
    const done = this.#extendAll(ids)
    this.#beat = { ids: new Set(ids), done }
    return done
  }

  async #extendAll(ids: readonly string[]): Promise<void> {
    const startedAt = performance.now()
    const period = this.#options.visibilityTimeoutMs / 3
    const chunks: string[][] = []
    for (let at = 0; at < ids.length; at += EXTEND_IDS_MAX) {
      chunks.push(ids.slice(at, at + EXTEND_IDS_MAX))
    }
    const succeeded = await Promise.all(chunks.map((chunk) => this.#extendSome(chunk)))
    this.#beat = undefined
    const elapsed = performance.now() - startedAt
    this.#schedule(succeeded.includes(false) ? period / 4 : Math.max(0, period - elapsed))
  }

  async #extendSome(ids: string[]): Promise<boolean> {
    const { visibilityTimeoutMs, extend, onError } = this.#options
    const deadline = performance.now() + visibilityTimeoutMs * TRUST
    try {
      const lost = new Set(await extend(ids, visibilityTimeoutMs / 3))
      for (const id of ids) if (this.#deadlines.has(id)) this.#deadlines.set(id, deadline)
      this.#lose([...lost])
      return true
    } catch (error) {
      onError(error)
      this.#lose(ids.filter((id) => this.isDoubtful(id)))
      return false
    }
  }

  #lose(ids: readonly string[]): void {
    const lost = ids.filter((id) => this.#deadlines.delete(id))
    if (lost.length > 0) this.#options.onLost(new LeaseLostError(lost))
  }

  #schedule(ms: number): void {
    if (this.#timer !== undefined || this.#deadlines.size === 0) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      void this.extendNow()
    }, ms)
  }

  #unschedule(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
