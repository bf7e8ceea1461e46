import type { LogEntry } from '../log/entry.ts'
import type { Logger } from '../log.ts'
import type { Database } from '../storage/database.ts'
import type { ReaderState } from '../storage/schema-types.ts'
import type { CaptureFailure } from './capture-failure.ts'
import { Reader, type ReaderOptions } from './reader.ts'
import type { ReaderMetrics } from './reader-metrics.ts'
import type { ReaderTiming } from './reader-timing.ts'
import { readSourceSettings } from './source.ts'
import { SourceLocks } from './source-lock.ts'

/** How often a standby asks for the lock, and the sources are looked through anyway. */
const POLL_MS = 2_000

export interface CaptureSupervisorOptions {
  readonly storage: Database
  /** Opens the sources' passwords. */
  readonly secretKey: Buffer | undefined
  /** uuid of this server process. */
  readonly processId: string
  readonly log: Logger
  /** As of `Reader`. */
  readonly onAppend: (sourceNo: number, entries: readonly LogEntry[]) => void
  readonly timing?: Partial<ReaderTiming>
  /** As of `Reader`. */
  readonly companion?: NonNullable<ReaderOptions['companion']>
  /** Default 2000. */
  readonly pollMs?: number
}

/** A source that this process reads, or waits to read. */
interface Kept {
  readonly sourceNo: number
  readonly name: string
  readonly configVersion: string
  readonly reader: Reader
}

export interface ReaderReport {
  readonly sourceNo: number
  readonly name: string
  readonly state: ReaderState
  readonly failure: CaptureFailure | null
  readonly metrics: Readonly<ReaderMetrics>
}

/**
 * Reads all sources of a storage, of several processes on it each source in one. What
 * is to be read is worked out anew after every notification and every `pollMs`.
 */
export class CaptureSupervisor {
  readonly #options: CaptureSupervisorOptions
  readonly #kept = new Map<number, Kept>()
  #locks: SourceLocks | undefined
  #timer: NodeJS.Timeout | undefined
  #round: Promise<void> | undefined
  #again = false
  #stopped = false

  constructor(options: CaptureSupervisorOptions) {
    this.#options = options
  }

  /** Returns when the sources were looked through once, or could not be. */
  async start(): Promise<void> {
    this.#timer = setInterval(() => this.#reconcile(), this.#options.pollMs ?? POLL_MS)
    this.#reconcile()
    await this.#round
  }

  /** Stops all readers, and lets other processes have the sources. May come twice. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    await this.#round
    await this.#stopAll()
    await this.#locks?.close()
    this.#locks = undefined
  }

  /** The sources that this process reads. */
  reports(): ReaderReport[] {
    return [...this.#kept.values()].map(({ sourceNo, name, reader }) => ({
      sourceNo,
      name,
      state: reader.state,
      failure: reader.failure,
      metrics: reader.metrics,
    }))
  }

  /** Of one source; undefined: another process reads it, or nobody. */
  report(sourceNo: number): ReaderReport | undefined {
    return this.reports().find((report) => report.sourceNo === sourceNo)
  }

  /** One round at a time; what comes during one starts another behind it. */
  #reconcile(): void {
    if (this.#stopped) return
    if (this.#round) {
      this.#again = true
      return
    }
    this.#round = this.#runRound()
      .catch((error: unknown) => {
        this.#options.log.warn('sources cannot be looked through, trying again', {
          reason: error instanceof Error ? error.message : String(error),
        })
      })
      .finally(() => {
        this.#round = undefined
        if (!this.#again) return
        this.#again = false
        this.#reconcile()
      })
  }

  async #runRound(): Promise<void> {
    const { storage } = this.#options
    this.#locks ??= await SourceLocks.open(storage.url, {
      onConfig: () => this.#reconcile(),
      onLost: () => this.#loseLocks(),
    })
    const wanted = await this.#listWanted()
    for (const kept of this.#kept.values()) {
      if (wanted.get(kept.sourceNo) !== kept.configVersion) {
        await this.#drop(kept, !wanted.has(kept.sourceNo))
      }
    }
    for (const [sourceNo, configVersion] of wanted) {
      if (!this.#kept.has(sourceNo) && !this.#stopped) await this.#keep(sourceNo, configVersion)
    }
    const isStandby = [...wanted.keys()].some((sourceNo) => !this.#kept.has(sourceNo))
    if (isStandby) await this.#locks?.endSilent()
  }

  async #listWanted(): Promise<Map<number, string>> {
    const { rows } = await this.#options.storage.pool.query<{ no: number; version: string }>(
      `select source_no as no, config_version as version from millrace.source
       where phase = 'ready' order by source_no`,
    )
    return new Map(rows.map(({ no, version }) => [no, version]))
  }

  /** A source whose password does not open says so, and is no matter to the others. */
  async #keep(sourceNo: number, configVersion: string): Promise<void> {
    const { secretKey, pollMs: _, timing = {}, ...options } = this.#options
    const { storage } = options
    if (!(await this.#locks?.tryLock(sourceNo))) return
    try {
      const source = await readSourceSettings(storage.db, sourceNo, secretKey)
      if (!source || this.#stopped) return
      const reader = new Reader({ ...options, source, timing })
      this.#kept.set(sourceNo, { sourceNo, name: source.name, configVersion, reader })
      reader.start()
    } catch (error) {
      await this.#reportUnreadable(sourceNo, error)
    }
  }

  async #reportUnreadable(sourceNo: number, error: unknown): Promise<void> {
    const reason = error instanceof Error ? error.message : String(error)
    const { rowCount } = await this.#options.storage.pool.query(
      `update millrace.reader set state = 'needs_attention', state_reason = $2,
         state_remedy = 'start with the right MILLRACE_SECRET_KEY, or set the password again',
         state_at = now()
       where source_no = $1 and state_reason is distinct from $2`,
      [sourceNo, reason],
    )
    if (rowCount !== 0) this.#options.log.error('a source cannot be read', { sourceNo, reason })
  }

  async #drop(kept: Kept, isGone: boolean): Promise<void> {
    await kept.reader.stop()
    this.#kept.delete(kept.sourceNo)
    if (isGone) await this.#locks?.unlock(kept.sourceNo)
  }

  /** Another process may have the sources already: the readers stop before anything else. */
  #loseLocks(): void {
    this.#locks = undefined
    if (this.#stopped) return
    this.#options.log.warn('the locks on the sources were lost; whoever takes them reads on')
    this.#stopAll()
      .then(() => this.#reconcile())
      .catch(() => undefined)
  }

  async #stopAll(): Promise<void> {
    const kept = [...this.#kept.values()]
    this.#kept.clear()
    await Promise.all(kept.map(({ reader }) => reader.stop()))
  }
}
