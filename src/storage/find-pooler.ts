import pg from 'pg'

/**
 * What lies between a client and its server: nothing; a pooler that keeps a server connection
 * for as long as the client is there; or one that gives each transaction whichever is free.
 */
export type Pooler = 'none' | 'session' | 'transaction'

/** A pooler that shares connections hands on the one just used at once, or a busy one soon. */
const ROUNDS_MAX = 4
const OTHER_TIMEOUT_MS = 3_000

/** What PgBouncer answers to settings of a session that it was not told to let pass. */
const REFUSAL = /unsupported startup parameter/

/**
 * Two clients never share a server connection unless it is given away between transactions, so
 * `transaction` is never a false alarm. To a server itself it takes one round trip: the number
 * that it gave for cancelling is that of the backend, and a pooler has to give one of its own,
 * for a cancellation must come to it. Behind one, a second client of the same `config` is opened
 * for at most some seconds. A pooler that cannot be seen to share is taken for `session`.
 */
export async function findPooler(client: pg.ClientBase, config: pg.ClientConfig): Promise<Pooler> {
  const pid = await readPid(client)
  if (pid === (client as unknown as { processID: number }).processID) return 'none'
  return (await sharesServer(client, pid, config)) ? 'transaction' : 'session'
}

/** Whether an error is the refusal of a pooler, that was met in place of Postgres. */
export function isPoolerRefusal(error: unknown): error is Error {
  return error instanceof Error && REFUSAL.test(error.message)
}

/**
 * While `client` is between two transactions another one begins its own: a shared server
 * connection is taken by that, or the next of the others comes to `client`.
 */
async function sharesServer(
  client: pg.ClientBase,
  pid: number,
  config: pg.ClientConfig,
): Promise<boolean> {
  const other = new pg.Client({
    ...config,
    connectionTimeoutMillis: OTHER_TIMEOUT_MS,
    query_timeout: OTHER_TIMEOUT_MS,
  })
  other.on('error', () => {})
  try {
    await other.connect()
    // In statement mode there are no transactions to begin.
    if ((await readPid(other)) === pid) return true
    for (let round = 0; round < ROUNDS_MAX; round++) {
      await other.query('begin')
      if ((await readPid(other)) === pid) return true
      // Twice: where all take turns once may come out even.
      if ((await readPid(client)) !== pid) return true
      if ((await readPid(client)) !== pid) return true
      await other.query('rollback')
    }
    return false
  } catch {
    // Where each client has a connection of its own there may be none left for a second one.
    return false
  } finally {
    await other.end().catch(() => undefined)
  }
}

async function readPid(client: pg.ClientBase): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  return rows[0]!.pid
}
