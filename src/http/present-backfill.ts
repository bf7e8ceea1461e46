import type { z } from '@hono/zod-openapi'

import type { Backfill } from '../backfill/backfill.ts'
import { quoteTableName } from '../queue/selection/table-pattern.ts'
import type { Db } from '../storage/database.ts'
import type { backfillSchema } from './schemas/backfill.ts'

/** Backfills as the API shows them, with the names of their sources and consumers. */
export async function presentBackfills(
  db: Db,
  backfills: readonly Backfill[],
): Promise<z.input<typeof backfillSchema>[]> {
  if (backfills.length === 0) return []
  const sources = await db
    .selectFrom('millrace.source')
    .select(['source_no', 'name'])
    .where(
      'source_no',
      'in',
      backfills.map(({ sourceNo }) => sourceNo),
    )
    .execute()
  const consumers = await db
    .selectFrom('millrace.consumer')
    .select(['consumer_no', 'name'])
    .where('consumer_no', 'in', [0, ...backfills.map(({ consumerNo }) => consumerNo ?? 0)])
    .execute()
  const sourceNames = new Map(sources.map(({ source_no, name }) => [source_no, name]))
  const consumerNames = new Map(consumers.map(({ consumer_no, name }) => [consumer_no, name]))
  return backfills.map((backfill) => ({
    id: backfill.id,
    source: sourceNames.get(backfill.sourceNo) ?? '',
    consumer:
      backfill.consumerNo === null ? null : (consumerNames.get(backfill.consumerNo) ?? null),
    table: backfill.table && quoteTableName(backfill.table),
    state: backfill.state,
    where: backfill.predicate,
    from_key: backfill.fromKey && [...backfill.fromKey],
    rows_scanned: backfill.rowsScanned,
    rows_read: backfill.rowsRead,
    rows_estimated: backfill.rowsEstimated,
    rows_per_second: backfill.state === 'running' ? backfill.rowsPerSecond : null,
    error: backfill.error,
    created_at: backfill.createdAt.toISOString(),
    started_at: backfill.startedAt?.toISOString() ?? null,
    finished_at: backfill.finishedAt?.toISOString() ?? null,
  }))
}
