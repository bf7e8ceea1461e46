import { setImmediate as nextTurn } from 'node:timers/promises'

import type { LogAppender } from '../log/append.ts'
import type { LogEntry } from '../log/entry.ts'
import { StorageError } from './capture-failure.ts'
import type { ChangeAssembler } from './change-assembler.ts'
import { ofStorage } from './of-storage.ts'

/** A flush takes milliseconds; a storage that takes this long is as good as gone. */
export const FLUSH_TIMEOUT_MS = 60_000

/** What is durable now. */
export interface Flushed {
  readonly entries: readonly LogEntry[]
  readonly undecodable: number
  /** What the source may be told. */
  readonly endLsn: bigint
}

interface FlushLoopOptions {
  readonly assembler: ChangeAssembler
  readonly appender: LogAppender
  /** Sees to it that the log has a place for that seq. */
  readonly makePlace: (seq: number) => Promise<void>
  /** The assembler has room again; what it held is not stored yet. */
  readonly onTake: () => void
  readonly onFlushed: (flushed: Flushed) => void
  readonly onError: (error: unknown) => void
  /** A flush hangs: its connection is to be cut, for the session to end. */
  readonly cut: () => void
}

/**
 * Writes what the assembler gathers, one flush after the other: while one runs the next
 * gathers. Back-pressure makes the batches, and an idle source's change is written at once.
 */
export class FlushLoop {
  readonly #options: FlushLoopOptions
  #running: Promise<void> | undefined
  #stopped = false

  constructor(options: FlushLoopOptions) {
    this.#options = options
  }

  get isRunning(): boolean {
    return this.#running !== undefined
  }

  /** Something is worth a flush. */
  get isDue(): boolean {
    const { assembler } = this.#options
    return assembler.hasWhole || assembler.isFull
  }

  /** Begins after the socket's present chunk: the transactions in it share a flush. */
  schedule(): void {
    if (this.#running || this.#stopped) return
    this.#running = nextTurn()
      .then(() => this.#flushAll())
      .finally(() => {
        this.#running = undefined
      })
    this.#running.catch(this.#options.onError)
  }

  /** Resolves when nothing is due any more, or cannot be written. */
  async drain(): Promise<void> {
    await this.#running?.catch(() => undefined)
  }

  /** No flush is begun any more; resolves when the one that runs has ended, in whatever way. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.drain()
  }

  async #flushAll(): Promise<void> {
    const { assembler, appender, makePlace, onTake, onFlushed } = this.#options
    while (this.isDue && !this.#stopped) {
      const flush = assembler.take()
      onTake()
      await ofStorage(makePlace(flush.entries.at(-1)?.seq ?? 0))
      await ofStorage(this.#withDeadline(appender.append(flush)))
      const { entries, undecodable, endLsn } = flush
      onFlushed({ entries, undecodable: undecodable.length, endLsn })
    }
  }

  /** A flush that hangs is given up; whether it was stored the next session finds out. */
  #withDeadline(flush: Promise<void>): Promise<void> {
    const { onError, cut } = this.#options
    const timer = setTimeout(() => {
      onError(new StorageError(`it did not take a flush in ${FLUSH_TIMEOUT_MS} ms`))
      cut()
    }, FLUSH_TIMEOUT_MS)
    return flush.finally(() => clearTimeout(timer))
  }
}
