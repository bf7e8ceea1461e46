/** What Node says of a connection that cannot be made or has broken. */
const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
])

/**
 * What Postgres says when it cannot serve anyone at the moment: connection
 * exceptions (08), insufficient resources (53), operator intervention (57: shutting
 * down, starting up, a statement that ran out of time), read-only after a failover.
 */
const SQLSTATE = /^(?:08...|53...|57...|25006)$/

/** `pg` gives these no code. */
const MESSAGE =
  /^(?:timeout exceeded when trying to connect|Connection terminated|Query read timeout|Client has encountered a connection error|Cannot use a pool after calling end)/

const DISK_FULL = '53100'

/** Whether the storage refuses what has to be written, for there is no room for it. */
export function isStorageFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === DISK_FULL
}

/** Whether an error says that the storage is away, rather than that something is wrong with us. */
export function isStorageFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error instanceof AggregateError) return error.errors.some(isStorageFailure)
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return NETWORK_CODES.has(code) || SQLSTATE.test(code) || MESSAGE.test(error.message)
}
