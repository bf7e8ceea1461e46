import type { Clock } from './clock.ts'
import { Rest } from './rest.ts'

/**
 * Keeps a broken endpoint from eating attempts.
 *
 * | state   | lets through          | moves on                                          |
 * | ------- | --------------------- | ------------------------------------------------- |
 * | closed  | everything            | opens on failures in a row, or on their ratio     |
 * | open    | nothing until a time  | then one probe                                    |
 * | probing | nothing               | success closes, failure opens for longer |
 */
export class Breaker {
  readonly #clock: Clock
  readonly #limits: BreakerLimits
  #state: 'closed' | 'open' | 'probing' = 'closed'
  #failuresInARow = 0
  /** The last outcomes, oldest first; true: failed. */
  #outcomes: boolean[] = []
  #openMs = 0
  /** While it is open. */
  #rest: Rest | undefined
  #failingSinceMs: number | null = null

  constructor(clock: Clock, limits: Partial<BreakerLimits> = {}) {
    this.#clock = clock
    this.#limits = { ...DEFAULT_LIMITS, ...limits }
  }

  get isClosed(): boolean {
    return this.#state === 'closed'
  }

  /** When the first failure came that no success has followed; null: all is well. */
  get failingSinceMs(): number | null {
    return this.#failingSinceMs
  }

  /** Ms until a request may go out: 0: now, Infinity: not before the probe's outcome. */
  get waitMs(): number {
    if (this.#state === 'closed') return 0
    if (this.#state === 'probing') return Infinity
    return this.#rest?.leftMs ?? 0
  }

  /** A request goes out now. True: it is the one probe. */
  enter(): boolean {
    if (this.#state !== 'open') return false
    this.#state = 'probing'
    return true
  }

  /** The probe was not sent, or was aborted: another may go. */
  cancelProbe(): void {
    if (this.#state === 'probing') this.#state = 'open'
  }

  /** The endpoint asked for patience: no failure, and no success either. */
  defer(wasProbe: boolean): void {
    this.#failingSinceMs ??= this.#clock.now()
    if (wasProbe) this.cancelProbe()
  }

  succeed(wasProbe: boolean): void {
    this.#failuresInARow = 0
    this.#failingSinceMs = null
    this.#note(false)
    // What was sent before it opened may still succeed; only the probe closes it.
    if (!wasProbe) return
    this.#state = 'closed'
    this.#openMs = 0
    this.#outcomes = []
  }

  fail(wasProbe: boolean): void {
    this.#failuresInARow++
    this.#failingSinceMs ??= this.#clock.now()
    this.#note(true)
    if (wasProbe || (this.#state === 'closed' && this.#isBroken())) this.#open()
  }

  #note(failed: boolean): void {
    this.#outcomes.push(failed)
    if (this.#outcomes.length > this.#limits.window) this.#outcomes.shift()
  }

  #isBroken(): boolean {
    const { failuresInARow, window, failureRatio } = this.#limits
    if (this.#failuresInARow >= failuresInARow) return true
    const failures = this.#outcomes.filter(Boolean).length
    return this.#outcomes.length === window && failures >= failureRatio * window
  }

  #open(): void {
    const { openMsMin, openMsMax, random } = this.#limits
    this.#openMs = Math.min(Math.max(this.#openMs * 2, openMsMin), openMsMax)
    const jitter = 1 - JITTER + 2 * JITTER * random()
    this.#rest = new Rest(this.#clock, this.#openMs * jitter)
    this.#state = 'open'
  }
}

export interface BreakerLimits {
  /** This many failures without a success between them open it. */
  failuresInARow: number
  /** Of the last `window` requests this share failed: opens it as well. */
  window: number
  failureRatio: number
  openMsMin: number
  openMsMax: number
  random: () => number
}

/** What failed together must not come back together. */
const JITTER = 0.15

const DEFAULT_LIMITS: BreakerLimits = {
  failuresInARow: 5,
  window: 50,
  failureRatio: 0.8,
  openMsMin: 1000,
  openMsMax: 60_000,
  random: Math.random,
}
