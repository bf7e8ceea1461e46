import type { PushConfig } from '../storage/schema-types.ts'

/** A consumer's settings, as the rest of the program sees them. */
export interface Consumer {
  readonly consumerNo: number
  /** uuid */
  readonly id: string
  readonly name: string
  readonly sourceNo: number
  /** `schema.table`, `schema.*` or `*` */
  readonly tables: readonly string[]
  readonly actions: readonly string[]
  readonly filter: string | null
  readonly columns: { include?: string[]; exclude?: string[] } | null
  readonly kind: 'changes' | 'rows'
  readonly mode: 'pull' | 'push'
  readonly push: PushConfig | null
  readonly startFrom: string
  readonly visibilityTimeoutMs: number
  readonly maxInFlight: number
  readonly maxWaiting: number
  /** Null: until acked. */
  readonly maxDeliveries: number | null
  readonly ordering: 'group' | 'none'
  /** Null: the primary key. */
  readonly groupBy: readonly string[] | null
  readonly annotations: Record<string, unknown>
  /** Milliseconds since 1970; Infinity: until resumed; null: not paused. */
  readonly pausedUntilMs: number | null
  readonly pauseReason: string | null
  /** Raised by every change of the settings. */
  readonly configVersion: number
  readonly createdAt: Date
  readonly updatedAt: Date
}
