import type pg from 'pg'

import type { Logger } from '../log.ts'
import { keepLogWithin, type DroppedUnread } from './log-limit.ts'
import { listFullPartitions, dropPartition } from './partition.ts'
import { readFloor } from './retention-floor.ts'

const CHECK_MS = 60_000

interface RetentionOptions {
  pool: pg.Pool
  logger: Logger
  /** How long changes are kept after their commit, in ms, at least. */
  retentionMs: number
  /** Bytes of the whole log, past which changes go unread; undefined: none. */
  limitBytes?: number | undefined
  onDroppedUnread?: (dropped: DroppedUnread) => void
}

/**
 * Drops old partitions of the log, whole, once everybody has read them and the
 * retention is over. One small duty of the processes that read sources; several
 * may do it at once, for a partition that is gone is no error.
 */
export class LogRetention {
  readonly #options: RetentionOptions
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(options: RetentionOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#running = this.#running.then(() => this.#check())
    }, CHECK_MS)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#running
  }

  async #check(): Promise<void> {
    try {
      const dropped = await dropOldPartitions(this.#options)
      if (dropped.length > 0) this.#options.logger.info('old partitions were dropped', { dropped })
      await this.#keepWithinLimit()
    } catch (error) {
      this.#options.logger.warn('old partitions were not dropped', { error: String(error) })
    }
  }

  async #keepWithinLimit(): Promise<void> {
    const { pool, logger, limitBytes, onDroppedUnread } = this.#options
    if (limitBytes === undefined) return
    const { dropped, unread } = await keepLogWithin(pool, limitBytes)
    if (dropped.length > 0) logger.info('partitions over the limit were dropped', { dropped })
    for (const lost of unread) {
      logger.error('changes were dropped that somebody had not read', { ...lost })
      onDroppedUnread?.(lost)
    }
  }
}

/** Drops what may go now, of all sources; answers the names of the partitions. */
export async function dropOldPartitions({
  pool,
  retentionMs,
}: Pick<RetentionOptions, 'pool' | 'retentionMs'>): Promise<string[]> {
  const { rows } = await pool.query<{ source_no: number }>('select source_no from millrace.source')
  const dropped: string[] = []
  for (const { source_no: sourceNo } of rows) {
    const floor = await readFloor(pool, sourceNo)
    for (const { name, before } of await listFullPartitions(pool, sourceNo)) {
      // Without consumers nobody has a claim on the log but the retention.
      if (floor !== null && before > floor) break
      if (!(await isOver(pool, name, retentionMs))) break
      await dropPartition(pool, sourceNo, name)
      dropped.push(name)
    }
  }
  return dropped
}

async function isOver(pool: pg.Pool, name: string, retentionMs: number): Promise<boolean> {
  const { rows } = await pool.query<{ over: boolean }>(
    `select committed_at < millrace.clock() - $1 * interval '1 millisecond' as over
     from millrace.${name} order by seq desc limit 1`,
    [retentionMs],
  )
  return rows[0]?.over ?? true
}
