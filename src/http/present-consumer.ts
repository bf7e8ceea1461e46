import type { z } from '@hono/zod-openapi'

import type { StoredConsumer } from '../queue/consumer-store.ts'
import type { consumerSchema } from './schemas/consumer.ts'

/** A consumer as the API shows it; what is write-only is not among it. */
export function presentConsumer(consumer: StoredConsumer): z.input<typeof consumerSchema> {
  return {
    id: consumer.id,
    name: consumer.name,
    source: consumer.source,
    tables: [...consumer.tables],
    actions: [...consumer.actions],
    filter: consumer.filter,
    columns: consumer.columns,
    kind: consumer.kind,
    mode: consumer.mode,
    push: consumer.push,
    start_from: consumer.startFrom,
    visibility_timeout_ms: consumer.visibilityTimeoutMs,
    max_in_flight: consumer.maxInFlight,
    max_waiting: consumer.maxWaiting,
    max_deliveries: consumer.maxDeliveries,
    ordering: consumer.ordering,
    group_by: consumer.groupBy && [...consumer.groupBy],
    annotations: consumer.annotations,
    paused: presentPause(consumer),
    created_at: consumer.createdAt.toISOString(),
    updated_at: consumer.updatedAt.toISOString(),
  }
}

/** A pause whose time is over is none. */
function presentPause({
  pausedUntilMs,
  pauseReason,
}: StoredConsumer): { until: string | null; reason: string | null } | null {
  if (pausedUntilMs === null || pausedUntilMs <= Date.now()) return null
  const until = Number.isFinite(pausedUntilMs) ? new Date(pausedUntilMs).toISOString() : null
  return { until, reason: pauseReason }
}
