import type { z } from '@hono/zod-openapi'

import type { SourceHealth } from '../capture/source-health.ts'
import type { Source } from '../capture/source.ts'
import type { Db } from '../storage/database.ts'
import type { sourceHealthResponse, sourceSchema } from './schemas/source.ts'

/** Sources as the API shows them, each with the state of its reader. */
export async function presentSources(
  db: Db,
  sources: readonly Source[],
): Promise<z.input<typeof sourceSchema>[]> {
  const readers = await db
    .selectFrom('millrace.reader')
    .select(['source_no', 'state', 'state_reason'])
    .where('source_no', 'in', [0, ...sources.map(({ sourceNo }) => sourceNo)])
    .execute()
  const readerOf = new Map(readers.map((reader) => [reader.source_no, reader]))
  return sources.map((source) => ({
    id: source.id,
    name: source.name,
    host: source.host,
    port: source.port,
    database: source.database,
    user: source.user,
    ssl: source.ssl,
    slot: source.slot,
    publication: source.publication,
    tables: source.tables && [...source.tables],
    annotations: source.annotations,
    state: readerOf.get(source.sourceNo)?.state ?? 'starting',
    state_reason: readerOf.get(source.sourceNo)?.state_reason ?? null,
    created_at: source.createdAt.toISOString(),
    updated_at: source.updatedAt.toISOString(),
  }))
}

export function presentHealth(health: SourceHealth): z.input<typeof sourceHealthResponse> {
  return {
    state: health.state,
    reason: health.reason,
    remedy: health.remedy,
    since: health.since.toISOString(),
    gaps: health.gaps.map((gap) => ({ ...gap })),
    undecodable: health.undecodable,
    confirmed_lsn: health.confirmedLsn,
    confirmed_at: health.confirmedAt?.toISOString() ?? null,
    last_commit_at: health.lastCommitAt?.toISOString() ?? null,
    slot: health.slot && {
      active: health.slot.active,
      lag_bytes: health.slot.lagBytes,
      wal_status: health.slot.walStatus,
      safe_wal_size: health.slot.safeWalSize,
    },
  }
}
