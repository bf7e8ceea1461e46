import pg from 'pg'

import { LogAppender, NotTheReaderError } from '../log/append.ts'
import type { LogEntry } from '../log/entry.ts'
import { ensureLogPartitions } from '../log/partition.ts'
import type { Logger } from '../log.ts'
import type { Database } from '../storage/database.ts'
import { StorageError } from './capture-failure.ts'
import { ChangeAssembler } from './change-assembler.ts'
import { connectSource, type ConnectedSource } from './connect-source.ts'
import { formatLsn } from './lsn.ts'
import type { RelationMessage } from './pgoutput/message.ts'
import { TypeCatalogue } from './pgoutput/type-catalogue.ts'
import { PageWindow } from './page-window.ts'
import { closePublicationGap, openPublicationGap } from './publication-gap.ts'
import { readPrimaryKey, readTypes } from './read-catalogue.ts'
import type { ReaderMetrics } from './reader-metrics.ts'
import { saveConfirmed, saveSystem, takeOver, type TakenOver, type Turn } from './reader-state.ts'
import type { ReaderTiming } from './reader-timing.ts'
import { RelationRegistry } from './relation-registry.ts'
import { ReplicationStream, type SystemIdentity } from './replication-stream.ts'
import type { SourceSettings } from './source-settings.ts'
import {
  readCaptureState,
  verifyCaptureState,
  verifyPublication,
  verifySystem,
} from './verify-source.ts'

/** What is gathered while a flush runs; with the flush, twice this is in memory. */
const BATCH_BYTES_MAX = 2 * 1024 * 1024
const BATCH_ENTRIES_MAX = 5_000
/** A flush takes milliseconds; a storage that takes this long is as good as gone. */
const FLUSH_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 1_000

export interface SessionOptions {
  readonly storage: Database
  readonly source: SourceSettings
  readonly processId: string
  readonly log: Logger
  readonly metrics: ReaderMetrics
  readonly timing: ReaderTiming
  readonly onAppend: (sourceNo: number, entries: readonly LogEntry[]) => void
  /** Makes what runs beside the stream for as long as the session lasts. */
  readonly companion?: (handles: SessionHandles) => SessionCompanion
}

/** What a session lends to its companion. */
export interface SessionHandles {
  readonly storage: Database
  readonly source: SourceSettings
  readonly turn: Turn
  readonly log: Logger
  readonly catalogue: TypeCatalogue
  readonly window: PageWindow
}

export interface SessionCompanion {
  start(): void
  /** May come twice; what is under way is given up. */
  stop(): Promise<void>
}

/** Two numbers, never one: what was decoded is not yet stored. */
interface Progress {
  received: bigint
  durable: bigint
}

/**
 * One turn of reading a source: from taking over to the first error. What it holds in
 * memory is lost with it; the next session begins at the stored position.
 */
export class CaptureSession {
  /** Rejects with what ended the session; stays pending when `stop` did. */
  readonly failed: Promise<never>
  readonly #options: SessionOptions
  readonly #catalogue = new TypeCatalogue()
  readonly #window = new PageWindow()
  readonly #timers: NodeJS.Timeout[] = []
  #fail: (error: unknown) => void = () => {}
  #turn!: Turn
  #source: ConnectedSource | undefined
  #asked: Promise<unknown> = Promise.resolve()
  #appendClient: pg.Client | undefined
  #appender!: LogAppender
  #assembler!: ChangeAssembler
  #stream: ReplicationStream | undefined
  #companion: SessionCompanion | undefined
  #progress: Progress = { received: 0n, durable: 0n }
  /** The log has a place for every seq below. */
  #placeUntil = 0
  #flush: Promise<void> | undefined
  #flushScheduled = false
  #paused = false
  /** Messages behind a relation that is being looked up. */
  #deferred: Buffer[] | undefined
  #idleAt = 0
  #idleSave: Promise<void> | undefined
  #activeAt = 0
  #publicationSeenLsn = ''
  #stopped = false

  constructor(options: SessionOptions) {
    this.#options = options
    this.failed = new Promise((_resolve, reject) => {
      this.#fail = (error) => {
        if (this.#stopped) return
        this.#stopped = true
        reject(error instanceof Error ? error : new Error(String(error)))
      }
    })
    this.failed.catch(() => undefined)
  }

  /** Takes over and resolves when the source streams. The session must be stopped even if it rejects. */
  async start(): Promise<Turn> {
    const { storage, source, processId } = this.#options
    const taken = await ofStorage(takeOver(storage.pool, source.sourceNo, processId))
    this.#turn = { pool: storage.pool, sourceNo: source.sourceNo, epoch: taken.epoch }
    await this.#begin(taken)
    return this.#turn
  }

  /** Whose turn it is, for the one who writes down why the session ended. */
  get turn(): Turn | undefined {
    return this.#turn
  }

  /** Waits for a running flush, confirms it, and lets go of all connections. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const timer of this.#timers) clearInterval(timer)
    await this.#companion?.stop()
    this.#stream?.pause()
    await Promise.race([
      this.#flush?.catch(() => undefined),
      new Promise((resolve) => setTimeout(resolve, STOP_TIMEOUT_MS).unref()),
    ])
    await this.#stream?.stop()
    await Promise.all([closeClient(this.#appendClient), closeClient(this.#source?.client)])
  }

  async #begin(taken: TakenOver): Promise<void> {
    const { storage, source } = this.#options
    this.#placeUntil = await ofStorage(
      ensureLogPartitions(storage.pool, source.sourceNo, taken.nextSeq),
    )
    const relations = await ofStorage(RelationRegistry.load(storage.pool, source.sourceNo))
    this.#appendClient = await ofStorage(this.#connectStorage())
    this.#appender = new LogAppender(this.#appendClient, source.sourceNo, taken.epoch)
    this.#source = await this.#connectSource()

    const state = await readCaptureState(this.#source.client, source)
    verifyCaptureState(state, source, taken)
    if (state.publicationExists) await closePublicationGap(this.#turn, taken.gaps, state.currentLsn)
    else await openPublicationGap(this.#turn, formatLsn(taken.knownLsn), state.currentLsn)
    verifyPublication(state, source)
    this.#publicationSeenLsn = state.currentLsn
    this.#assembler = new ChangeAssembler({
      position: taken.position,
      nextSeq: taken.nextSeq,
      endLsn: taken.knownLsn,
      relations,
      catalogue: this.#catalogue,
      ignoresOwnSchema: state.holdsStorage,
      window: this.#window,
    })
    this.#progress = { received: taken.knownLsn, durable: taken.knownLsn }
    this.#expectRunning()
    await this.#startStream(taken, state.serverEncoding)
    this.#watch()
    this.#startCompanion()
  }

  #startCompanion(): void {
    const { storage, source, log, companion } = this.#options
    const [turn, catalogue, window] = [this.#turn, this.#catalogue, this.#window]
    this.#companion = companion?.({ storage, source, turn, log, catalogue, window })
    this.#companion?.start()
  }

  async #startStream(taken: TakenOver, serverEncoding: string): Promise<void> {
    const { source } = this.#options
    // A database in SQL_ASCII holds any bytes, and ends a stream in UTF-8 over those that are
    // not: there they come as they are, and the decoder sets aside what it cannot read.
    const encoding = serverEncoding === 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8'
    const stream = new ReplicationStream(
      this.#source!.config,
      { ...source, encoding },
      {
        verify: (system) => this.#verifySystem(system, taken),
        onMessage: (message) => this.#receive(message),
        onKeepalive: (walEnd, replyRequested) => this.#idle(walEnd, replyRequested),
      },
    )
    this.#stream = stream
    stream.failed.catch((error: unknown) => this.#fail(error))
    await stream.start(taken.knownLsn)
    this.#expectRunning()
  }

  async #verifySystem(system: SystemIdentity, taken: TakenOver): Promise<void> {
    verifySystem(system, this.#options.source, taken)
    if (taken.systemIdentifier === null || taken.timeline !== system.timeline) {
      await saveSystem(this.#turn, system)
    }
  }

  async #connectStorage(): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: this.#options.storage.url,
      application_name: `millrace reader ${this.#options.source.name}`,
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
      statement_timeout: FLUSH_TIMEOUT_MS,
      options: '-c timezone=UTC -c datestyle=ISO,YMD',
    })
    client.on('error', (error) => this.#fail(toStorageError(error)))
    try {
      await client.connect()
      this.#expectRunning()
      return client
    } catch (error) {
      await closeClient(client)
      throw error
    }
  }

  async #connectSource(): Promise<ConnectedSource> {
    const { source } = this.#options
    const connected = await connectSource(source, `millrace ${source.name}`)
    connected.client.on('error', (error) => this.#fail(error))
    if (this.#stopped) await closeClient(connected.client)
    this.#expectRunning()
    return connected
  }

  /** Whoever stopped the session while it was connecting has not seen the new connection. */
  #expectRunning(): void {
    if (this.#stopped) throw new Error('the session was stopped')
  }

  /** Must not throw but for the stream to end: it is called by the socket. */
  #receive(message: Buffer): void {
    if (this.#stopped) return
    if (this.#deferred) {
      // The socket is paused, but what it had read already still comes.
      this.#deferred.push(Buffer.from(message))
      return
    }
    const unknown = this.#assembler.accept(message)
    if (unknown) this.#lookUp(unknown)
    else this.#gathered()
  }

  #gathered(): void {
    const assembler = this.#assembler
    this.#progress.received = assembler.endLsn
    if (isFull(assembler) && !this.#paused) {
      this.#paused = true
      this.#stream!.pause()
    }
    if (this.#isDue()) this.#scheduleFlush()
    // A transaction without a change of ours, or one that was stored before.
    else if (assembler.count === 0 && !assembler.inTransaction) this.#idle(assembler.endLsn, false)
  }

  #isDue(): boolean {
    return this.#assembler.hasWhole || isFull(this.#assembler)
  }

  /** After the socket's present chunk: the transactions in it share a flush. */
  #scheduleFlush(): void {
    if (this.#flush || this.#flushScheduled) return
    this.#flushScheduled = true
    setImmediate(() => {
      this.#flushScheduled = false
      if (this.#stopped) return
      this.#flush = this.#flushAll().finally(() => {
        this.#flush = undefined
      })
      this.#flush.catch((error: unknown) => this.#fail(error))
    })
  }

  async #flushAll(): Promise<void> {
    while (this.#isDue() && !this.#stopped) {
      const flush = this.#assembler.take()
      this.#unpause()
      await ofStorage(this.#makePlace(flush.entries.at(-1)?.seq ?? 0))
      await ofStorage(this.#withDeadline(this.#appender.append(flush)))
      this.#confirm(flush.endLsn)
      this.#count(flush.entries, flush.undecodable.length)
      if (flush.entries.length > 0) {
        this.#options.onAppend(this.#turn.sourceNo, flush.entries)
      }
    }
  }

  /** A flush that hangs is given up; whether it was stored the next session finds out. */
  #withDeadline(flush: Promise<void>): Promise<void> {
    const timer = setTimeout(() => {
      this.#fail(new StorageError(`it did not take a flush in ${FLUSH_TIMEOUT_MS} ms`))
      void closeClient(this.#appendClient)
    }, FLUSH_TIMEOUT_MS)
    return flush.finally(() => clearTimeout(timer))
  }

  /** The one place where the source is told anything. */
  #confirm(lsn: bigint): void {
    if (lsn <= this.#progress.durable) return
    this.#progress.durable = lsn
    this.#stream!.confirm(lsn)
  }

  #count(entries: readonly LogEntry[], undecodable: number): void {
    const { metrics, log, source } = this.#options
    metrics.flushes += 1
    metrics.changes += entries.length
    for (const entry of entries) metrics.bytes += entry.size
    metrics.undecodable += undecodable
    this.#activeAt = performance.now()
    this.#measureLag(this.#progress.received)
    if (undecodable === 0) return
    log.error('changes could not be decoded and were kept aside', {
      source: source.name,
      count: undecodable,
    })
  }

  #measureLag(serverLsn: bigint): void {
    const lag = serverLsn - this.#progress.durable
    this.#options.metrics.lagBytes = lag > 0n ? Number(lag) : 0
  }

  #unpause(): void {
    if (!this.#paused || this.#deferred) return
    this.#paused = false
    this.#stream!.resume()
  }

  async #makePlace(lastSeq: number): Promise<void> {
    if (lastSeq < this.#placeUntil) return
    const { storage, source } = this.#options
    this.#placeUntil = await ensureLogPartitions(storage.pool, source.sourceNo, lastSeq)
  }

  /**
   * The source has nothing for us up to `lsn`. Unless something is on its way it may
   * forget what lies before; that is written down first, and not for every byte.
   */
  #idle(lsn: bigint, urgent: boolean): void {
    this.#measureLag(lsn)
    const { timing } = this.#options
    const busy =
      this.#assembler.inTransaction ||
      this.#assembler.count > 0 ||
      this.#flush !== undefined ||
      this.#deferred !== undefined ||
      this.#idleSave !== undefined
    if (busy || this.#stopped || lsn <= this.#progress.durable) return
    const now = performance.now()
    const soon =
      urgent ||
      lsn - this.#progress.durable >= timing.idleConfirmBytes ||
      now - this.#idleAt >= timing.idleConfirmMs
    if (!soon) return
    this.#idleAt = now
    this.#idleSave = ofStorage(saveConfirmed(this.#turn, lsn))
      .then(() => this.#confirm(lsn))
      .finally(() => {
        this.#idleSave = undefined
      })
    this.#idleSave.catch((error: unknown) => this.#fail(error))
  }

  #lookUp(relation: RelationMessage): void {
    this.#deferred = []
    this.#paused = true
    this.#stream!.pause()
    this.#define(relation).catch((error: unknown) => this.#fail(error))
  }

  async #define(first: RelationMessage): Promise<void> {
    let relation: RelationMessage | null = first
    while (relation && !this.#stopped) {
      const { oid } = relation
      const oids = relation.columns
        .map(({ typeOid }) => typeOid)
        .filter((oid) => !this.#catalogue.has(oid))
      if (oids.length > 0) {
        this.#catalogue.add(oids, await this.#ask((client) => readTypes(client, oids)))
      }
      const primaryKey =
        relation.replicaIdentity === 'f' || relation.replicaIdentity === 'n'
          ? await this.#ask((client) => readPrimaryKey(client, oid))
          : null
      this.#assembler.define(relation, primaryKey)
      relation = this.#drain()
    }
  }

  /** Goes on with what came meanwhile, up to the next relation that is not known. */
  #drain(): RelationMessage | null {
    const deferred = this.#deferred!
    for (let index = 0; index < deferred.length; index++) {
      const unknown = this.#assembler.accept(deferred[index]!)
      if (unknown) {
        this.#deferred = deferred.slice(index + 1)
        return unknown
      }
    }
    this.#deferred = undefined
    if (!isFull(this.#assembler)) this.#unpause()
    this.#gathered()
    return null
  }

  /** Uses the ordinary connection to the source, one after the other. */
  #ask<T>(question: (client: pg.Client) => Promise<T>): Promise<T> {
    const answer = this.#asked.then(() => question(this.#source!.client))
    this.#asked = answer.catch(() => undefined)
    return answer
  }

  #watch(): void {
    const { timing } = this.#options
    const every = (ms: number, duty: () => Promise<void>): void => {
      this.#timers.push(
        setInterval(() => {
          duty().catch((error: unknown) => this.#fail(error))
        }, ms),
      )
    }
    every(timing.watchMs, () => this.#checkPublication())
    every(timing.heartbeatMs, () => this.#beat())
  }

  async #checkPublication(): Promise<void> {
    const { source } = this.#options
    const state = await this.#ask((client) => readCaptureState(client, source))
    if (!state.publicationExists) {
      await openPublicationGap(this.#turn, this.#publicationSeenLsn, state.currentLsn)
    }
    verifyPublication(state, source)
    this.#publicationSeenLsn = state.currentLsn
  }

  /** An idle database writes no WAL, and an idle connection proves nothing. */
  async #beat(): Promise<void> {
    if (performance.now() - this.#activeAt < this.#options.timing.heartbeatMs) return
    await this.#ask((client) =>
      client.query(
        `select case when not pg_is_in_recovery()
           then pg_logical_emit_message(false, 'millrace.heartbeat', '') end`,
      ),
    )
  }
}

function isFull(assembler: ChangeAssembler): boolean {
  return assembler.bytes >= BATCH_BYTES_MAX || assembler.count >= BATCH_ENTRIES_MAX
}

/** Ends a connection whatever its state; one with a running statement is cut off. */
async function closeClient(client: pg.Client | undefined): Promise<void> {
  await client?.end().catch(() => undefined)
}

/** Tells an error of the storage from the same error of the source. */
function ofStorage<T>(promise: Promise<T>): Promise<T> {
  return promise.catch((error: unknown) => {
    throw error instanceof NotTheReaderError ? error : toStorageError(error)
  })
}

function toStorageError(error: unknown): StorageError {
  const message = error instanceof Error ? error.message : String(error)
  return new StorageError(message, { cause: error })
}
