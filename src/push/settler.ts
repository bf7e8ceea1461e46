import { MillraceError } from '../errors.ts'
import type { Consumer } from '../queue/consumer.ts'
import type { QueueService, Settlement, SettlementResult } from '../queue/queue-service.ts'
import type { Clock } from './clock.ts'

interface SettlerOptions {
  queue: Pick<QueueService, 'settle'>
  clock: Clock
  consumer: () => Consumer
  /** Settling failed and is tried again, or was given up. */
  onError: (error: unknown, givenUp: boolean) => void
  /** After this long without success settlements are given up: the leases have run out by then. */
  giveUpMs: number
}

interface Unit {
  settlements: readonly Settlement[]
  sinceMs: number
  resolve: ((results: SettlementResult[]) => void) | undefined
}

const SETTLEMENTS_MAX = 1000
const RETRY_MS_MIN = 100
const RETRY_MS_MAX = 5000
/**
 * Each call waits for the storage's disk and describes anew what is left of each
 * lease: for one message as long as for hundreds. What a crash in these
 * milliseconds loses is sent again.
 */
const LINGER_MS = 50

/**
 * Settles for the worker: one call to the queue at a time, and what comes up
 * meanwhile goes with the next one. What is handed in together is settled together.
 */
export class Settler {
  readonly #options: SettlerOptions
  #waiting: Unit[] = []
  #count = 0
  #run: Promise<void> | undefined
  /** Ends the wait for company. */
  #endLinger: (() => void) | undefined
  #isHurried = false

  constructor(options: SettlerOptions) {
    this.#options = options
  }

  /** At once. Resolves with nothing when it was given up: then the leases expire by themselves. */
  settle(settlements: readonly Settlement[]): Promise<SettlementResult[]> {
    if (settlements.length === 0) return Promise.resolve([])
    return new Promise((resolve) => {
      this.#push(settlements, resolve)
      this.hurry()
    })
  }

  /** Some milliseconds later, with what else comes up until then, unless hurried. */
  settleSoon(settlements: readonly Settlement[]): void {
    if (settlements.length > 0) this.#push(settlements, undefined)
  }

  /** There is nothing to wait for. */
  hurry(): void {
    if (this.#waiting.length === 0) return
    this.#isHurried = true
    this.#endLinger?.()
  }

  /** Resolves once everything handed in so far is settled or given up. */
  async flush(): Promise<void> {
    this.hurry()
    await this.#run
  }

  #push(settlements: readonly Settlement[], resolve: Unit['resolve']): void {
    this.#waiting.push({ settlements, sinceMs: this.#options.clock.now(), resolve })
    this.#count += settlements.length
    if (this.#count >= SETTLEMENTS_MAX) this.hurry()
    this.#run ??= this.#settleAll()
  }

  async #settleAll(): Promise<void> {
    // Answers of one turn of the event loop share a call.
    await Promise.resolve()
    let retryMs = RETRY_MS_MIN
    while (this.#waiting.length > 0) {
      if (!this.#isHurried) await this.#linger()
      const units = this.#takeUnits()
      try {
        const settlements = units.flatMap((unit) => unit.settlements)
        const results = await this.#options.queue.settle(this.#options.consumer(), settlements)
        let from = 0
        for (const { settlements: own, resolve } of units) {
          resolve?.(results.slice(from, from + own.length))
          from += own.length
        }
        retryMs = RETRY_MS_MIN
      } catch (error) {
        this.#putBack(units, error)
        await this.#sleep(retryMs)
        retryMs = Math.min(retryMs * 2, RETRY_MS_MAX)
      }
    }
    // In the same turn as the last look: what is handed in from here on starts a new run.
    this.#run = undefined
  }

  /** By the real clock: it gathers what happens at the same time, and promises nothing. */
  #linger(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, LINGER_MS)
      this.#endLinger = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #takeUnits(): Unit[] {
    let count = 0
    const fits = this.#waiting.findIndex(
      ({ settlements }) => (count += settlements.length) > SETTLEMENTS_MAX,
    )
    // One that is too large by itself goes alone.
    const units = this.#waiting.splice(0, fits === -1 ? this.#waiting.length : Math.max(fits, 1))
    for (const { settlements } of units) this.#count -= settlements.length
    this.#endLinger = undefined
    this.#isHurried = this.#isHurried && this.#waiting.length > 0
    return units
  }

  #putBack(units: Unit[], error: unknown): void {
    const { clock, giveUpMs, onError } = this.#options
    const isGone = error instanceof MillraceError && error.code === 'not_found'
    const keep = units.filter(({ sinceMs }) => !isGone && clock.now() - sinceMs < giveUpMs)
    for (const unit of units) if (!keep.includes(unit)) unit.resolve?.([])
    onError(error, keep.length < units.length)
    this.#waiting.unshift(...keep)
    for (const { settlements } of keep) this.#count += settlements.length
    // They have waited for long enough.
    this.hurry()
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.setTimer(ms, resolve)
    })
  }
}
