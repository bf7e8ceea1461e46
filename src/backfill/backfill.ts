import type { Selectable } from 'kysely'

import type { BackfillPosition, BackfillState, BackfillTable } from '../storage/schema-types.ts'

/** Reading what a table holds already into the log. */
export interface Backfill {
  readonly backfillNo: number
  /** uuid */
  readonly id: string
  readonly sourceNo: number
  /** Null: for every consumer that selects the table. */
  readonly consumerNo: number | null
  /** Null until the reader has seen which tables the consumer selects. */
  readonly table: { readonly schema: string; readonly table: string } | null
  readonly state: BackfillState
  readonly predicate: string | null
  readonly fromKey: readonly string[] | null
  readonly position: BackfillPosition | null
  readonly rowsScanned: number
  readonly rowsRead: number
  readonly rowsEstimated: number | null
  readonly rowsPerSecond: number | null
  readonly error: string | null
  readonly createdAt: Date
  readonly startedAt: Date | null
  readonly finishedAt: Date | null
}

export function readBackfill(row: Selectable<BackfillTable>): Backfill {
  return {
    backfillNo: row.backfill_no,
    id: row.id,
    sourceNo: row.source_no,
    consumerNo: row.consumer_no,
    table:
      row.table_schema === null || row.table_name === null
        ? null
        : { schema: row.table_schema, table: row.table_name },
    state: row.state,
    predicate: row.predicate,
    fromKey: row.from_key,
    position: row.position,
    rowsScanned: Number(row.rows_scanned),
    rowsRead: Number(row.rows_read),
    rowsEstimated: row.rows_estimated === null ? null : Number(row.rows_estimated),
    rowsPerSecond: row.rows_per_second,
    error: row.error,
    createdAt: row.created_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
  }
}
