import { randomBytes, randomUUID } from 'node:crypto'

import pg from 'pg'

import { CaptureSupervisor } from '../../src/capture/capture-supervisor.ts'
import { createSource } from '../../src/capture/create-source.ts'
import type { ReaderTiming } from '../../src/capture/reader-timing.ts'
import { getSourceHealth, type SourceHealth } from '../../src/capture/source-health.ts'
import type { Source } from '../../src/capture/source.ts'
import { parseSourceUrl } from '../../src/capture/source-url.ts'
import type { SslSettings } from '../../src/capture/source-settings.ts'
import type { Logger } from '../../src/log.ts'
import type { Database } from '../../src/storage/database.ts'
import type { ReaderState } from '../../src/storage/schema-types.ts'
import { uniqueName } from '../support/database.ts'
import { QUICK, until } from './capture-harness.ts'

export const KEYS = { secretKey: randomBytes(32) }

interface LogLine {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: Record<string, unknown>
}

/** Sources that one process reads, with what it says of them. */
export class WatchedSources implements AsyncDisposable {
  readonly lines: LogLine[] = []
  readonly #storage: Database
  readonly #supervisor: CaptureSupervisor
  #started: Promise<void> | undefined

  constructor(storage: Database, timing: Partial<ReaderTiming> = {}) {
    this.#storage = storage
    const note =
      (level: LogLine['level']): Logger['info'] =>
      (message, fields) => {
        this.lines.push({ level, message, fields: { ...fields } })
      }
    this.#supervisor = new CaptureSupervisor({
      storage,
      ...KEYS,
      processId: randomUUID(),
      log: { debug: () => {}, info: note('info'), warn: note('warn'), error: note('error') },
      timing: { ...QUICK, ...timing },
      pollMs: 50,
      onAppend: () => {},
    })
  }

  /** Connects a database that has tables already, and waits until it is read. */
  async connect(
    url: string,
    { publication, ssl = { mode: 'disable' } }: { publication?: string; ssl?: SslSettings } = {},
  ): Promise<WatchedSource> {
    const source = await createSource(
      this.#storage,
      {
        name: uniqueName('s'),
        connection: { ...parseSourceUrl(url), ssl },
        ...(publication === undefined ? {} : { publication }),
      },
      KEYS,
    )
    const watched = new WatchedSource(this.#storage, this.#supervisor, source, this.lines)
    await (this.#started ??= this.#supervisor.start())
    await watched.become('healthy')
    return watched
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#supervisor.stop()
  }
}

export class WatchedSource {
  readonly source: Source
  readonly #storage: Database
  readonly #supervisor: CaptureSupervisor
  readonly #lines: readonly LogLine[]

  constructor(
    storage: Database,
    supervisor: CaptureSupervisor,
    source: Source,
    lines: readonly LogLine[],
  ) {
    this.#storage = storage
    this.#supervisor = supervisor
    this.source = source
    this.#lines = lines
  }

  get failures(): number {
    return this.#supervisor.report(this.source.sourceNo)?.metrics.failures ?? 0
  }

  health(): Promise<SourceHealth> {
    return getSourceHealth(this.#storage, this.source.id, KEYS)
  }

  /** What its reader says, as soon as it is in this state (for this reason). */
  async become(state: ReaderState, reason = /^/): Promise<{ remedy: string | null }> {
    for (;;) {
      const { rows } = await this.#storage.pool.query<{
        state: ReaderState
        reason: string | null
        remedy: string | null
      }>(
        `select state, state_reason as reason, state_remedy as remedy
         from millrace.reader where source_no = $1`,
        [this.source.sourceNo],
      )
      const row = rows[0]!
      if (row.state === state && reason.test(row.reason ?? '')) return row
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  /** The line of the log that says that it is not read, with the reason that its health gives. */
  line(level: LogLine['level'], reason: RegExp): LogLine | undefined {
    return this.#lines.find(
      ({ level: of, fields }) =>
        of === level &&
        fields['source'] === this.source.name &&
        reason.test(String(fields['reason'])),
    )
  }

  /** Keys of the changes that are stored, in order. */
  async keys(): Promise<string[]> {
    const { rows } = await this.#storage.pool.query<{ key: string }>(
      'select key from millrace.log where source_no = $1 order by seq',
      [this.source.sourceNo],
    )
    return rows.map(({ key }) => key)
  }

  async waitForKeys(keys: readonly string[]): Promise<void> {
    await until(async () => (await this.keys()).length >= keys.length)
  }
}

/** Runs statements on a connection of their own. */
export async function run(url: string, ...statements: string[]): Promise<void> {
  const client = new pg.Client(url)
  client.on('error', () => {})
  await client.connect()
  try {
    for (const sql of statements) await client.query(sql)
  } finally {
    await client.end().catch(() => undefined)
  }
}
