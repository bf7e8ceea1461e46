import pg from 'pg'

/** First half of the locks' numbers, so that they are nobody else's. */
const LOCK_CLASS = 1297239636
const CONNECT_TIMEOUT_MS = 5_000
const CONFIG_CHANNEL = 'millrace_config'
const APPLICATION_NAME = 'millrace locks'
/** A process that runs says something on this connection so often. */
const BEAT_MS = 5_000
/** One that was silent for so long stands still, though its connection does not: six beats. */
const SILENT_S = 30

interface LockHandlers {
  /** Something about sources, or anything else of the configuration, has changed. */
  onConfig(): void
  /** The connection, and with it every lock, is gone. */
  onLost(): void
}

/**
 * The locks that make one process the reader of a source. They live as long as their
 * one connection: when the process dies another gets them at once.
 */
export class SourceLocks {
  readonly #client: pg.Client
  readonly #held = new Set<number>()
  #timer: NodeJS.Timeout | undefined
  #lost = false

  private constructor(client: pg.Client) {
    this.#client = client
  }

  static async open(url: string, handlers: LockHandlers): Promise<SourceLocks> {
    const client = new pg.Client({
      connectionString: url,
      application_name: APPLICATION_NAME,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      // A statement that hangs means a connection that is as good as lost.
      query_timeout: CONNECT_TIMEOUT_MS,
    })
    const locks = new SourceLocks(client)
    const lose = (): void => {
      if (locks.#lost) return
      locks.#lost = true
      clearInterval(locks.#timer)
      client.end().catch(() => undefined)
      handlers.onLost()
    }
    client.on('error', lose)
    client.on('end', lose)
    client.on('notification', () => handlers.onConfig())
    try {
      await client.connect()
      await client.query(`listen ${CONFIG_CHANNEL}`)
      locks.#timer = setInterval(() => client.query('select').catch(lose), BEAT_MS)
      return locks
    } catch (error) {
      locks.#lost = true
      await client.end().catch(() => undefined)
      throw error
    }
  }

  /** True: we have it, now or already. */
  async tryLock(sourceNo: number): Promise<boolean> {
    if (this.#held.has(sourceNo)) return true
    const { rows } = await this.#client.query<{ got: boolean }>(
      'select pg_try_advisory_lock($1, $2) as got',
      [LOCK_CLASS, sourceNo],
    )
    if (rows[0]!.got) this.#held.add(sourceNo)
    return rows[0]!.got
  }

  /**
   * Takes the locks away from whoever stands still: a process that was stopped, or whose
   * machine went to sleep, keeps its connection, and its locks with that. What it still
   * writes when it wakes up is refused by its epoch.
   */
  async endSilent(): Promise<void> {
    await this.#client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name = $1
         and pid <> pg_backend_pid() and state_change < now() - make_interval(secs => $2)`,
      [APPLICATION_NAME, SILENT_S],
    )
  }

  async unlock(sourceNo: number): Promise<void> {
    if (!this.#held.delete(sourceNo)) return
    await this.#client.query('select pg_advisory_unlock($1, $2)', [LOCK_CLASS, sourceNo])
  }

  async close(): Promise<void> {
    this.#lost = true
    clearInterval(this.#timer)
    await this.#client.end().catch(() => undefined)
  }
}
