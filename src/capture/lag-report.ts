import type pg from 'pg'

import type { Logger } from '../log.ts'
import type { ReaderReport } from './capture-supervisor.ts'

const EVERY_MS = 5000

interface LagReportOptions {
  pool: pg.Pool
  logger: Logger
  /** uuid of this server process. */
  processId: string
  /** The sources that this process reads. */
  reports: () => readonly ReaderReport[]
}

/**
 * Writes down how far the readers of this process are behind, for processes that
 * read nothing and show it all the same.
 */
export class LagReport {
  readonly #options: LagReportOptions
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(options: LagReportOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#writing = this.write().catch((error: unknown) =>
        this.#options.logger.debug('the lag was not stored', { error }),
      )
    }, EVERY_MS)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#writing
  }

  /** A row that says the same already is left alone, and so is one that another process reads. */
  async write(): Promise<void> {
    const { pool, processId, reports } = this.#options
    const lags = reports()
    if (lags.length === 0) return
    await pool.query(
      `update millrace.reader set lag_bytes = lag.bytes
       from unnest($1::int[], $2::bigint[]) as lag (source_no, bytes)
       where reader.source_no = lag.source_no and process_id = $3
         and lag_bytes is distinct from lag.bytes`,
      [
        lags.map(({ sourceNo }) => sourceNo),
        lags.map(({ metrics }) => metrics.lagBytes),
        processId,
      ],
    )
  }
}
