import pg from 'pg'

/** First half of the locks' numbers, so that they are nobody else's. */
const LOCK_CLASS = 1297239636
const CONNECT_TIMEOUT_MS = 5_000
const CONFIG_CHANNEL = 'millrace_config'

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
  #lost = false

  private constructor(client: pg.Client) {
    this.#client = client
  }

  static async open(url: string, handlers: LockHandlers): Promise<SourceLocks> {
    const client = new pg.Client({
      connectionString: url,
      application_name: 'millrace locks',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      // A statement that hangs means a connection that is as good as lost.
      query_timeout: CONNECT_TIMEOUT_MS,
    })
    const locks = new SourceLocks(client)
    const lose = (): void => {
      if (locks.#lost) return
      locks.#lost = true
      handlers.onLost()
    }
    client.on('error', lose)
    client.on('end', lose)
    client.on('notification', () => handlers.onConfig())
    try {
      await client.connect()
      await client.query(`listen ${CONFIG_CHANNEL}`)
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

  async unlock(sourceNo: number): Promise<void> {
    if (!this.#held.delete(sourceNo)) return
    await this.#client.query('select pg_advisory_unlock($1, $2)', [LOCK_CLASS, sourceNo])
  }

  async close(): Promise<void> {
    this.#lost = true
    await this.#client.end().catch(() => undefined)
  }
}
