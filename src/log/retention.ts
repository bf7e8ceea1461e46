import type pg from 'pg'

import type { Logger } from '../log.ts'
import { listFullPartitions, dropPartition } from './partition.ts'

const CHECK_MS = 60_000

/**
 * The first seq of a source's log that somebody still needs: a consumer that has
 * not read it, or a message that is leased, set aside or dead. Dead letters count:
 * they can be redriven only while their change is there.
 */
const FLOOR = `
select least(
  (select min(newest.cursor_seq) + 1
   from millrace.consumer
   cross join lateral (
     select cursor_seq from millrace.tick
     where tick.consumer_no = consumer.consumer_no order by version desc limit 1
   ) as newest
   where source_no = $1),
  (select min(held.seq) from millrace.consumer
   join millrace.lease using (consumer_no), unnest(seqs) as held (seq) where source_no = $1),
  (select min(seq) from millrace.consumer join millrace.delivery using (consumer_no)
   where source_no = $1 and state in ('waiting', 'retrying', 'leased', 'dead')),
  (select min(cursor_seq) + 1 from millrace.consumer join millrace.replay using (consumer_no)
   where source_no = $1 and finished_at is null)
)::text as floor`

interface RetentionOptions {
  pool: pg.Pool
  logger: Logger
  /** How long changes are kept after their commit, in ms, at least. */
  retentionMs: number
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
    } catch (error) {
      this.#options.logger.warn('old partitions were not dropped', { error: String(error) })
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

async function readFloor(pool: pg.Pool, sourceNo: number): Promise<number | null> {
  const { rows } = await pool.query<{ floor: string | null }>(FLOOR, [sourceNo])
  const floor = rows[0]?.floor
  return floor == null ? null : Number(floor)
}

async function isOver(pool: pg.Pool, name: string, retentionMs: number): Promise<boolean> {
  const { rows } = await pool.query<{ over: boolean }>(
    `select committed_at < millrace.clock() - $1 * interval '1 millisecond' as over
     from millrace.${name} order by seq desc limit 1`,
    [retentionMs],
  )
  return rows[0]?.over ?? true
}
