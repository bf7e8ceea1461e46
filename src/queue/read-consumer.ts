import type { Selectable } from 'kysely'

import type { ConsumerTable } from '../storage/schema-types.ts'
import type { Consumer } from './consumer.ts'

/** A row of `millrace.consumer` as the program sees it. */
export function readConsumer(row: Selectable<ConsumerTable>): Consumer {
  return {
    consumerNo: row.consumer_no,
    id: row.id,
    name: row.name,
    sourceNo: row.source_no,
    tables: row.tables,
    actions: row.actions,
    filter: row.filter,
    columns: row.columns,
    kind: row.kind,
    mode: row.mode,
    // Webhooks that are older than this setting do without it.
    push: row.push && { ...row.push, allow_http: row.push.allow_http ?? false },
    startFrom: row.start_from,
    visibilityTimeoutMs: row.visibility_timeout_ms,
    maxInFlight: row.max_in_flight,
    maxWaiting: row.max_waiting,
    maxDeliveries: row.max_deliveries,
    ordering: row.ordering,
    groupBy: row.group_by,
    annotations: row.annotations,
    // `infinity` arrives as a number.
    pausedUntilMs: row.paused_until === null ? null : Number(row.paused_until),
    pauseReason: row.pause_reason,
    configVersion: Number(row.config_version),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
