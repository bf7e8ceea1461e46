import pg from 'pg'

import type { LogEntry } from '../log/entry.ts'
import { ensureLogPartitions } from '../log/partition.ts'
import type { Logger } from '../log.ts'
import type { Database } from '../storage/database.ts'
import { NeedsAttentionError } from './capture-failure.ts'
import { CapturePipeline } from './capture-pipeline.ts'
import { ChangeAssembler } from './change-assembler.ts'
import { connectSource, type ConnectedSource } from './connect-source.ts'
import { connectStorage } from './connect-storage.ts'
import { defineRelation } from './define-relation.ts'
import { findPoolerFault, goDirect } from './find-pooler-fault.ts'
import { ofStorage } from './of-storage.ts'
import { PageWindow } from './page-window.ts'
import { TypeCatalogue } from './pgoutput/type-catalogue.ts'
import { PublicationWatch } from './publication-watch.ts'
import type { ReaderMetrics } from './reader-metrics.ts'
import { saveSystem, takeOver, type TakenOver, type Turn } from './reader-state.ts'
import type { ReaderTiming } from './reader-timing.ts'
import { RelationRegistry } from './relation-registry.ts'
import type { SystemIdentity } from './replication-stream.ts'
import type { SourceSettings } from './source-settings.ts'
import { SourceWatch } from './source-watch.ts'
import {
  readCaptureState,
  verifyCaptureState,
  verifySystem,
  type CaptureState,
} from './verify-source.ts'

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
  #fail: (error: unknown) => void = () => {}
  #turn: Turn | undefined
  /** The log has a place for every seq below. */
  #placeUntil = 0
  #appendClient: pg.Client | undefined
  #source: ConnectedSource | undefined
  #watch: SourceWatch | undefined
  #pipeline: CapturePipeline | undefined
  #companion: SessionCompanion | undefined
  #willNoteSkipped = false
  #stopped = false

  constructor(options: SessionOptions) {
    this.#options = options
    this.failed = new Promise((_resolve, reject) => {
      this.#fail = (error) => {
        if (this.#stopped) return
        this.#halt()
        reject(error instanceof Error ? error : new Error(String(error)))
      }
    })
    this.failed.catch(() => undefined)
  }

  /** Takes over and resolves when the source streams. The session must be stopped even if it rejects. */
  async start(): Promise<Turn> {
    const { storage, source, processId } = this.#options
    const taken = await ofStorage(takeOver(storage.pool, source.sourceNo, processId))
    const turn = { pool: storage.pool, sourceNo: source.sourceNo, epoch: taken.epoch }
    this.#turn = turn
    this.#placeUntil = await ofStorage(
      ensureLogPartitions(storage.pool, source.sourceNo, taken.nextSeq),
    )
    const relations = await ofStorage(RelationRegistry.load(storage.pool, source.sourceNo))
    await this.#connect()
    const state = await readCaptureState(this.#source!.client, source)
    verifyCaptureState(state, source, taken)
    const assembler = this.#assemble(taken, relations, state)
    const publication = this.#watchSource(turn, assembler)
    await publication.begin(state, taken)
    this.#expectRunning()
    await this.#stream(turn, taken, state, assembler, publication)
    this.#expectRunning()
    this.#watch!.start()
    this.#startCompanion(turn)
    return turn
  }

  /** Whose turn it is, for the one who writes down why the session ended. */
  get turn(): Turn | undefined {
    return this.#turn
  }

  /** Waits for a running flush, confirms it, and lets go of all connections. */
  async stop(): Promise<void> {
    this.#halt()
    await this.#companion?.stop()
    await this.#pipeline?.stop()
    await Promise.all([closeClient(this.#appendClient), closeClient(this.#source?.client)])
  }

  /** Nothing is begun any more. */
  #halt(): void {
    this.#stopped = true
    this.#watch?.stop()
    this.#pipeline?.halt()
  }

  async #connect(): Promise<void> {
    const { storage, source } = this.#options
    this.#appendClient = await ofStorage(
      connectStorage(storage.url, `millrace reader ${source.name}`, (error) => this.#fail(error)),
    )
    this.#expectRunning()
    this.#source = await connectSource(source, `millrace ${source.name}`)
    this.#source.client.on('error', (error) => this.#fail(error))
    this.#expectRunning()
    const fault = await findPoolerFault(this.#source)
    if (fault !== null) throw new NeedsAttentionError(fault, goDirect(source))
    this.#expectRunning()
  }

  #assemble(
    taken: TakenOver,
    relations: RelationRegistry,
    { holdsStorage }: CaptureState,
  ): ChangeAssembler {
    return new ChangeAssembler({
      position: taken.position,
      nextSeq: taken.nextSeq,
      endLsn: taken.knownLsn,
      relations,
      catalogue: this.#catalogue,
      ignoresOwnSchema: holdsStorage,
      window: this.#window,
    })
  }

  #watchSource(turn: Turn, assembler: ChangeAssembler): PublicationWatch {
    const { source, log, timing, metrics } = this.#options
    const readReceived = (): bigint => assembler.endLsn
    const publication = new PublicationWatch({ turn, source, log, metrics, readReceived })
    this.#watch = new SourceWatch({
      client: this.#source!.client,
      timing,
      check: (client) => publication.check(client),
      readActiveAt: () => this.#pipeline?.activeAt ?? 0,
      onError: this.#fail,
    })
    return publication
  }

  async #stream(
    turn: Turn,
    taken: TakenOver,
    { serverEncoding }: CaptureState,
    assembler: ChangeAssembler,
    publication: PublicationWatch,
  ): Promise<void> {
    const { source, log, metrics, timing, onAppend } = this.#options
    const watch = this.#watch!
    const verify = (system: SystemIdentity): Promise<void> =>
      verifyAndSave(turn, system, source, taken)
    this.#pipeline = new CapturePipeline({
      turn,
      knownLsn: taken.knownLsn,
      assembler,
      source,
      config: this.#source!.config,
      // A database in SQL_ASCII holds any bytes, and ends a stream in UTF-8 over those that are
      // not: there they come as they are, and the decoder sets aside what it cannot read.
      encoding: serverEncoding === 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8',
      handlers: { verify, onSkipped: () => this.#noteSkipped(publication, assembler.endLsn) },
      placeUntil: this.#placeUntil,
      appendClient: this.#appendClient!,
      define: (relation) =>
        watch.ask((client) => defineRelation(client, relation, this.#catalogue, assembler)),
      log,
      metrics,
      timing,
      onAppend,
      onError: this.#fail,
    })
    await this.#pipeline.start()
  }

  /** One look that is yet to come tells of all that were skipped until then. */
  #noteSkipped(publication: PublicationWatch, from: bigint): void {
    if (this.#willNoteSkipped) return
    this.#willNoteSkipped = true
    const look = this.#watch!.ask((client) => {
      this.#willNoteSkipped = false
      return publication.noteSkipped(client, from)
    })
    look.catch(this.#fail)
  }

  #startCompanion(turn: Turn): void {
    const { storage, source, log, companion } = this.#options
    const [catalogue, window] = [this.#catalogue, this.#window]
    this.#companion = companion?.({ storage, source, turn, log, catalogue, window })
    this.#companion?.start()
  }

  /** Whoever stopped the session while it was connecting has not seen the new connection. */
  #expectRunning(): void {
    if (!this.#stopped) return
    void closeClient(this.#appendClient)
    void closeClient(this.#source?.client)
    throw new Error('the session was stopped')
  }
}

/** An LSN means something on its own cluster only: which one that is, is written down. */
async function verifyAndSave(
  turn: Turn,
  system: SystemIdentity,
  source: SourceSettings,
  taken: TakenOver,
): Promise<void> {
  verifySystem(system, source, taken)
  if (taken.systemIdentifier !== null && taken.timeline === system.timeline) return
  await ofStorage(saveSystem(turn, system))
}

/** Ends a connection whatever its state; one with a running statement is cut off. */
async function closeClient(client: pg.Client | undefined): Promise<void> {
  await client?.end().catch(() => undefined)
}
