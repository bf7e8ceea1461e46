import pg from 'pg'

import { CONFIG_CHANNEL } from '../storage/notifications.ts'

interface PushShareOptions {
  url: string
  /** Consumers may have changed. */
  onConfig: () => void
  /** The connection broke, and with it every claim. */
  onBroken: () => void
}

/** First key of our advisory locks; the second is a consumer, or 0 for "I push". */
const PUSH_LOCK = 1_347_770_184
const MEMBER = 0

/**
 * Shares the push consumers among the processes: each is served by one process at a
 * time, so that its limits, its rate and its breaker hold for the endpoint and not
 * per process. A claim is an advisory lock on one connection; a process that dies
 * loses all of its claims with it. Two that served one consumer for a moment would
 * still be right: the queue never leases a message twice.
 */
export class PushShare {
  readonly #client: pg.Client
  readonly #claimed = new Set<number>()

  private constructor(client: pg.Client) {
    this.#client = client
  }

  static async open(options: PushShareOptions): Promise<PushShare> {
    const client = new pg.Client({
      connectionString: options.url,
      application_name: 'millrace push',
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
      // A machine that vanishes must not keep its claims until the kernel's two hours are over.
      options:
        '-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 -c statement_timeout=10000',
    })
    let isOpen = false
    const onBroken = (): void => {
      if (!isOpen) return
      isOpen = false
      options.onBroken()
    }
    client.on('error', onBroken)
    client.on('end', onBroken)
    client.on('notification', options.onConfig)
    try {
      await client.connect()
      await client.query(`listen ${CONFIG_CHANNEL}`)
      await client.query('select pg_advisory_lock_shared($1, $2)', [PUSH_LOCK, MEMBER])
    } catch (error) {
      await client.end().catch(() => undefined)
      throw error
    }
    isOpen = true
    return new PushShare(client)
  }

  /** Consumers that this process serves. */
  get claimed(): ReadonlySet<number> {
    return this.#claimed
  }

  /** How many of so many consumers this process should serve: as many as the others. */
  async countQuota(consumerCount: number): Promise<number> {
    const { rows } = await this.#client.query<{ members: number }>(
      `select count(*)::int as members from pg_locks
       where locktype = 'advisory' and granted and mode = 'ShareLock'
         and classid = $1 and objid = $2
         and database = (select oid from pg_database where datname = current_database())`,
      [PUSH_LOCK, MEMBER],
    )
    return Math.ceil(consumerCount / Math.max(rows[0]!.members, 1))
  }

  /** False: another process serves it. */
  async claim(consumerNo: number): Promise<boolean> {
    const { rows } = await this.#client.query<{ claimed: boolean }>(
      'select pg_try_advisory_lock($1, $2) as claimed',
      [PUSH_LOCK, consumerNo],
    )
    const { claimed } = rows[0]!
    if (claimed) this.#claimed.add(consumerNo)
    return claimed
  }

  /** To be called only when nothing is pushed for it any more. */
  async release(consumerNo: number): Promise<void> {
    this.#claimed.delete(consumerNo)
    await this.#client.query('select pg_advisory_unlock($1, $2)', [PUSH_LOCK, consumerNo])
  }

  /** Gives up all claims. */
  async close(): Promise<void> {
    this.#client.removeAllListeners('end')
    await this.#client.end().catch(() => undefined)
  }
}
