import { hostname } from 'node:os'

import type pg from 'pg'

import type { Role } from './config.ts'
import type { Logger } from './log.ts'
import { VERSION } from './version.ts'

const HEARTBEAT_MS = 5000
/** A process that was silent for so long is gone: six heartbeats. */
const STALE_S = 30

interface ProcessRegistryOptions {
  pool: pg.Pool
  logger: Logger
  /** uuid of this process. */
  id: string
  roles: ReadonlySet<Role>
}

/**
 * This process among those on the storage: a row with a heartbeat. Also knows,
 * as of the last heartbeat, how many there are. A process that joins is seen by
 * the others at their next one.
 */
export class ProcessRegistry {
  readonly #options: ProcessRegistryOptions
  #timer: NodeJS.Timeout | undefined
  #beating: Promise<void> = Promise.resolve()
  #live = 1

  constructor(options: ProcessRegistryOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    await this.#beat()
    this.#timer = setInterval(() => {
      this.#beating = this.#beat().catch((error: unknown) =>
        this.#options.logger.warn('the heartbeat was not stored', { error }),
      )
    }, HEARTBEAT_MS)
  }

  /** Takes the row away. May come twice, or before `start`. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#beating
    const { pool, id } = this.#options
    await pool.query('delete from millrace.process where id = $1', [id]).catch(() => undefined)
  }

  /** Whether other processes serve this storage; from memory. */
  hasPeers(): boolean {
    return this.#live > 1
  }

  async #beat(): Promise<void> {
    const { pool, id, roles } = this.#options
    await pool.query(
      `insert into millrace.process (id, host, pid, version, roles, started_at, seen_at)
       values ($1, $2, $3, $4, $5, now(), now())
       on conflict (id) do update set seen_at = now()`,
      [id, hostname(), process.pid, VERSION, [...roles]],
    )
    this.#live = await countLiveProcesses(pool)
  }
}

/** Removes those that went without a word, and counts the rest. */
async function countLiveProcesses(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ live: number }>(
    `with stale as (
       select id from millrace.process
       where seen_at < now() - make_interval(secs => $1) for update skip locked
     ), gone as (
       delete from millrace.process using stale where process.id = stale.id
     )
     select count(*)::int as live from millrace.process
     where seen_at >= now() - make_interval(secs => $1)`,
    [STALE_S],
  )
  return rows[0]?.live ?? 1
}
