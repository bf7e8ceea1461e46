import type pg from 'pg'

import { LogAppender } from '../log/append.ts'
import type { LogEntry } from '../log/entry.ts'
import { ensureLogPartitions } from '../log/partition.ts'
import type { Logger } from '../log.ts'
import type { ChangeAssembler } from './change-assembler.ts'
import { Confirmation } from './confirmation.ts'
import { FlushLoop, type Flushed } from './flush-loop.ts'
import { MessageIntake } from './message-intake.ts'
import type { RelationMessage } from './pgoutput/message.ts'
import type { ReaderMetrics } from './reader-metrics.ts'
import type { Turn } from './reader-state.ts'
import type { ReaderTiming } from './reader-timing.ts'
import { ReplicationStream, type StreamHandlers, type StreamTarget } from './replication-stream.ts'
import type { SourceSettings } from './source-settings.ts'

const STOP_TIMEOUT_MS = 1_000

interface PipelineOptions {
  readonly turn: Turn
  /** What is stored as it begins. */
  readonly knownLsn: bigint
  readonly assembler: ChangeAssembler
  readonly source: SourceSettings
  /** For the replication connection. */
  readonly config: pg.ClientConfig
  readonly encoding: StreamTarget['encoding']
  readonly handlers: Pick<StreamHandlers, 'verify' | 'onSkipped'>
  /** The log has a place for every seq below. */
  readonly placeUntil: number
  /** The pipeline's alone. */
  readonly appendClient: pg.Client
  /** Looks up what the assembler must know of a relation, and tells it. */
  readonly define: (relation: RelationMessage) => Promise<void>
  readonly log: Logger
  readonly metrics: ReaderMetrics
  readonly timing: ReaderTiming
  readonly onAppend: (sourceNo: number, entries: readonly LogEntry[]) => void
  /** The first error is the end of it: it is to be stopped then. */
  readonly onError: (error: unknown) => void
}

/**
 * The way from the source into the log, and back.
 *
 *   ReplicationStream ──► MessageIntake ──► ChangeAssembler ──► FlushLoop ──► the log
 *           ▲                                                       │
 *           └─────────────────── Confirmation ◄─────────────────────┘
 */
export class CapturePipeline {
  readonly #options: PipelineOptions
  readonly #stream: ReplicationStream
  readonly #intake: MessageIntake
  readonly #flushes: FlushLoop
  readonly #confirmation: Confirmation
  #placeUntil: number
  #activeAt = 0

  constructor(options: PipelineOptions) {
    const { turn, knownLsn, assembler, appendClient, define, timing, metrics, onError } = options
    const { source, config, encoding, handlers } = options
    this.#options = options
    this.#placeUntil = options.placeUntil
    this.#stream = new ReplicationStream(
      config,
      { ...source, encoding },
      {
        ...handlers,
        onMessage: (message) => this.#intake.receive(message),
        onKeepalive: (walEnd, replyRequested) => this.#confirmation.idle(walEnd, replyRequested),
      },
    )
    this.#stream.failed.catch((error: unknown) => this.#onStreamEnd(error))
    this.#intake = new MessageIntake({
      assembler,
      stream: this.#stream,
      define,
      onTaken: () => this.#onTaken(),
      onError,
    })
    this.#flushes = new FlushLoop({
      assembler,
      appender: new LogAppender(appendClient, turn.sourceNo, turn.epoch),
      makePlace: (seq) => this.#makePlace(seq),
      onTake: () => this.#intake.makeRoom(),
      onFlushed: (flushed) => this.#onFlushed(flushed),
      onError,
      cut: () => void appendClient.end().catch(() => undefined),
    })
    this.#confirmation = new Confirmation({
      turn,
      knownLsn,
      timing,
      metrics,
      send: (lsn) => this.#stream.confirm(lsn),
      isBusy: () => this.#isBusy(),
      onError,
    })
  }

  /** When something was last stored, by `performance.now()`. */
  get activeAt(): number {
    return this.#activeAt
  }

  /** Resolves when the source streams. */
  start(): Promise<void> {
    return this.#stream.start(this.#options.knownLsn)
  }

  /** Nothing is begun any more; what is under way goes on until `stop`. */
  halt(): void {
    this.#intake.stop()
    this.#confirmation.stop()
    void this.#flushes.stop()
  }

  /** Waits for a running flush, confirms it, and ends the stream. */
  async stop(): Promise<void> {
    this.halt()
    this.#stream.pause()
    await Promise.race([
      this.#flushes.stop(),
      new Promise((resolve) => setTimeout(resolve, STOP_TIMEOUT_MS).unref()),
    ])
    await this.#stream.stop()
  }

  /** What had come by then is stored first: the next stream may end at the same place. */
  async #onStreamEnd(error: unknown): Promise<void> {
    await this.#flushes.drain()
    this.#options.onError(error)
  }

  #onTaken(): void {
    const { assembler } = this.#options
    this.#confirmation.noteReceived(assembler.endLsn)
    if (this.#flushes.isDue) this.#flushes.schedule()
    // A transaction without a change of ours, or one that was stored before.
    else if (assembler.count === 0 && !assembler.inTransaction) {
      this.#confirmation.idle(assembler.endLsn, false)
    }
  }

  #onFlushed({ entries, undecodable, endLsn }: Flushed): void {
    const { metrics, log, turn, source, onAppend } = this.#options
    this.#confirmation.confirm(endLsn)
    this.#activeAt = performance.now()
    metrics.flushes += 1
    metrics.changes += entries.length
    for (const entry of entries) metrics.bytes += entry.size
    metrics.undecodable += undecodable
    if (undecodable > 0) {
      log.error('changes could not be decoded and were kept aside', {
        source: source.name,
        count: undecodable,
      })
    }
    if (entries.length > 0) onAppend(turn.sourceNo, entries)
  }

  #isBusy(): boolean {
    const { assembler } = this.#options
    return (
      assembler.inTransaction ||
      assembler.count > 0 ||
      this.#flushes.isRunning ||
      this.#intake.isWaiting
    )
  }

  async #makePlace(seq: number): Promise<void> {
    if (seq < this.#placeUntil) return
    const { pool, sourceNo } = this.#options.turn
    this.#placeUntil = await ensureLogPartitions(pool, sourceNo, seq)
  }
}
