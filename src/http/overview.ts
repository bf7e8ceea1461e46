import { listConsumers } from '../queue/consumer-store.ts'
import type { ConsumerStats, QueueService } from '../queue/queue-service.ts'
import type { Db } from '../storage/database.ts'
import type { ReaderState } from '../storage/schema-types.ts'

/** All consumers and sources at one moment, as the console shows them. */
export interface Overview {
  at: string
  sources: SourceOverview[]
  consumers: ConsumerOverview[]
}

export interface SourceOverview {
  id: string
  name: string
  state: ReaderState
  state_reason: string | null
  state_remedy: string | null
  last_commit_at: string | null
  /** Seq of the newest change in the log; its growth is the rate of changes. */
  last_seq: number
  /** WAL not stored yet, as of a few seconds ago; null: nobody has measured it. */
  lag_bytes: number | null
}

export interface ConsumerOverview {
  id: string
  name: string
  source: string
  mode: 'pull' | 'push'
  paused: boolean
  stats: Omit<ConsumerStats, 'oldestUnackedAgeMs'> & { oldest_unacked_age_ms: number | null }
}

/** Beyond these the overview shows the first, by name. */
const CONSUMERS_MAX = 200
const SOURCES_MAX = 200
/** Counting walks over a consumer's backlog: never for all at once. */
const PARALLEL_MAX = 4

export async function readOverview(db: Db, queues: QueueService): Promise<Overview> {
  const [sources, stored] = await Promise.all([
    readSources(db),
    listConsumers(db, { limit: CONSUMERS_MAX }),
  ])
  const consumers: ConsumerOverview[] = []
  const rest = stored.values()
  const work = async (): Promise<void> => {
    for (const { id, name, source, mode, pausedUntilMs } of rest) {
      const consumer = await queues.findConsumer(id)
      // Deleted a moment ago.
      if (!consumer) continue
      const { oldestUnackedAgeMs, ...stats } = await queues.getStats(consumer)
      consumers.push({
        id,
        name,
        source,
        mode,
        paused: pausedUntilMs !== null && pausedUntilMs > Date.now(),
        stats: { ...stats, oldest_unacked_age_ms: oldestUnackedAgeMs },
      })
    }
  }
  await Promise.all(Array.from({ length: PARALLEL_MAX }, work))
  consumers.sort((a, b) => (a.name < b.name ? -1 : 1))
  return { at: new Date().toISOString(), sources, consumers }
}

async function readSources(db: Db): Promise<SourceOverview[]> {
  const rows = await db
    .selectFrom('millrace.source')
    .leftJoin('millrace.reader', 'millrace.reader.source_no', 'millrace.source.source_no')
    .leftJoinLateral(
      (eb) =>
        eb
          .selectFrom('millrace.position')
          .select(['next_seq', 'committed_at'])
          .whereRef('millrace.position.source_no', '=', 'millrace.source.source_no')
          .orderBy('first_seq', 'desc')
          .limit(1)
          .as('newest'),
      (join) => join.onTrue(),
    )
    .select([
      'millrace.source.id',
      'millrace.source.name',
      'millrace.reader.state',
      'millrace.reader.state_reason',
      'millrace.reader.state_remedy',
      'millrace.reader.lag_bytes',
      'newest.next_seq',
      'newest.committed_at',
    ])
    .orderBy('millrace.source.name')
    .limit(SOURCES_MAX)
    .execute()
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    state: row.state ?? 'starting',
    state_reason: row.state_reason,
    state_remedy: row.state_remedy,
    last_commit_at: row.committed_at?.toISOString() ?? null,
    last_seq: Math.max(0, Number(row.next_seq ?? 1) - 1),
    lag_bytes: row.lag_bytes === null ? null : Number(row.lag_bytes),
  }))
}
