export interface FieldChange {
  readonly field: string
  /** Undefined where there was none, and for secrets. */
  readonly before: unknown
  readonly after: unknown
  readonly secret: boolean
}

export interface EntryReference {
  readonly kind: 'source' | 'consumer' | 'token'
  readonly name: string
}

export interface ConfigurationChange extends EntryReference {
  readonly action: 'create' | 'update' | 'replace' | 'delete'
  readonly fields: readonly FieldChange[]
}

/** What has to happen for the server to be as a configuration says. */
export interface ConfigurationPlan {
  /** In the order in which they are made. */
  readonly changes: readonly ConfigurationChange[]
  /** There, but not in the configuration. */
  readonly unlisted: readonly EntryReference[]
}

/** The fields of `after` that differ from `before`; what `after` leaves out is not looked at. */
export function compareFields(before: object, after: object): FieldChange[] {
  const old: Record<string, unknown> = { ...before }
  return Object.entries(after)
    .filter(([field, value]) => value !== undefined && !isSame(old[field], value))
    .map(([field, value]) => ({ field, before: old[field], after: value, secret: false }))
}

/** A secret that is set: its values are told to nobody. */
export function hideField(field: string): FieldChange {
  return { field, before: undefined, after: undefined, secret: true }
}

/** As JSON, whatever the order of keys. */
export function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(sortKeys(a)) === JSON.stringify(sortKeys(b))
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sortKeys(item)]),
  )
}
