import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'

import {
  createWorker,
  PermanentError,
  RetryLater,
  type HandlerContext,
} from '../../sdk/src/index.ts'
import type { Message } from '../../sdk/src/message.ts'
import { FakeQueue, idOf, type Row } from './support/fake-queue.ts'
import { useWorkerClock } from './support/start-worker.ts'

/** What a handler does with one delivery. */
interface Step {
  durationMs: number
  outcome: 'return' | 'throw' | 'later' | 'dead'
  /** Someone takes the lease away while it runs. */
  robbed: boolean
}

const anyStep = fc.record<Step>({
  durationMs: fc.nat(4000),
  outcome: fc.constantFrom('return', 'return', 'return', 'throw', 'later', 'dead'),
  robbed: fc.integer({ min: 0, max: 19 }).map((n) => n === 0),
})

const CONCURRENCY = 20
const VISIBILITY_MS = 1000

/** Runs handlers by a script, and throws when one runs that must not. */
class Witness {
  readonly running = new Map<number, number>()
  readonly violations: string[] = []
  readonly firsts = new Map<string, number[]>()
  /** Those whose last handling failed: they go before all behind them. */
  readonly failed = new Set<number>()
  most = 0
  readonly #queue: FakeQueue
  readonly #steps: Step[]

  constructor(queue: FakeQueue, steps: Step[]) {
    this.#queue = queue
    this.#steps = steps
  }

  async handle(message: Message<Row>, { signal }: HandlerContext): Promise<void> {
    const id = idOf(message)
    const { state, group } = this.#queue.entry(id)
    if (this.running.has(id)) this.violations.push(`${id} is handled twice at the same time`)
    if (state === 'acked' || state === 'dead')
      this.violations.push(`${id} is handled after its end`)
    if (group !== null) this.#noteFirst(group, id)
    for (const earlier of this.failed) {
      if (group !== null && earlier < id && this.#queue.entry(earlier).group === group) {
        this.violations.push(`${id} overtakes ${earlier}`)
      }
    }
    this.running.set(id, 1)
    this.most = Math.max(this.most, this.running.size)
    try {
      await this.#play(this.#steps.shift(), id, signal)
      this.failed.delete(id)
    } catch (error) {
      if (error instanceof PermanentError) this.failed.delete(id)
      else this.failed.add(id)
      throw error
    } finally {
      this.running.delete(id)
    }
  }

  #noteFirst(group: string, id: number): void {
    const seen = this.firsts.get(group) ?? []
    this.firsts.set(group, seen)
    if (!seen.includes(id)) seen.push(id)
  }

  async #play(step: Step | undefined, id: number, signal: AbortSignal): Promise<void> {
    if (!step) return
    if (step.robbed) this.#queue.loseLeases(id)
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, step.durationMs)
      signal.addEventListener('abort', () => {
        clearTimeout(timer)
        reject(signal.reason as Error)
      })
    })
    if (step.outcome === 'throw') throw new Error('by chance')
    if (step.outcome === 'later') throw new RetryLater(500)
    if (step.outcome === 'dead') throw new PermanentError('by chance')
  }
}

describe('workers under random failures, slow handlers, lost leases and a stop in the middle', () => {
  useWorkerClock()

  test('settle every message, none twice at a time, none after its end, groups in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyStep, { minLength: 150, maxLength: 300 }),
        fc.array(fc.option(fc.nat(15)), { minLength: 100, maxLength: 200 }),
        fc.integer({ min: 500, max: 10_000 }),
        fc.constantFrom(0, 2000, 25_000),
        async (steps, groups, stopAtMs, graceMs) => {
          const queue = new FakeQueue()
          queue.add(...groups.map((n, id) => ({ id, group: n === null ? null : `g${n}` })))
          const witness = new Witness(queue, steps)
          const start = () => {
            const worker = createWorker<Row>(queue, {
              consumer: 'c',
              concurrency: CONCURRENCY,
              visibilityTimeoutMs: VISIBILITY_MS,
              handle: (message, context) => witness.handle(message, context),
            })
            return { worker, done: worker.run() }
          }

          const first = start()
          await vi.advanceTimersByTimeAsync(stopAtMs)
          void first.worker.stop({ graceMs })
          await vi.advanceTimersByTimeAsync(graceMs + 2000)
          await first.done
          expect(witness.running.size).toBe(0)
          const second = start()
          for (let round = 0; round < 1000 && !queue.settled; round++) {
            await vi.advanceTimersByTimeAsync(1000)
          }
          void second.worker.stop()
          await vi.advanceTimersByTimeAsync(100)
          await second.done

          expect(witness.violations).toEqual([])
          expect(queue.settled).toBe(true)
          expect(witness.most).toBeGreaterThan(5)
          for (const ids of witness.firsts.values()) {
            expect(ids).toEqual(ids.toSorted((a, b) => a - b))
          }
        },
      ),
      { numRuns: 30 },
    )
  })
})
