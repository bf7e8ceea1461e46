import pg from 'pg'

import { PullWorkers } from './pull-workers.ts'
import type { Rival, RivalTask } from './rival.ts'

/** More connections than this only wait for the processors. */
const CONNECTIONS_MAX = 32

interface Claimed {
  readonly id: string
}

/** How the table of a queue is made. */
interface Shape {
  readonly bodyType: 'jsonb' | 'text'
  readonly storage: string
  readonly index: string | undefined
}

/** What one writes by hand, and what pgmq makes: the body as `jsonb`, an index for what is due. */
export const PLAIN: Shape = { bodyType: 'jsonb', storage: '', index: 'visible_at' }

/**
 * What can be got out of it by measuring: no index but the key, so that the claim's
 * update moves no index entry; room in the pages for that update; a vacuum that keeps up.
 */
export const TUNED: Shape = {
  bodyType: 'text',
  storage: `with (fillfactor = 70, autovacuum_vacuum_cost_delay = 0,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000)`,
  index: undefined,
}

/** A row per consumer and message, claimed with `for update skip locked`: a table per queue, batches in and out. */
export class SkipLocked implements Rival {
  readonly #task: RivalTask
  readonly #shape: Shape
  readonly #pool: pg.Pool
  readonly #workers: PullWorkers<Claimed>

  constructor(task: RivalTask, shape: Shape) {
    this.#task = task
    this.#shape = shape
    this.#pool = new pg.Pool({
      connectionString: task.url,
      max: Math.min(task.queues.length * task.workers + 1, CONNECTIONS_MAX),
    })
    this.#workers = new PullWorkers<Claimed>(
      (queue) => this.#claim(queue),
      (queue, claimed) =>
        this.#pool.query({
          name: `ack-${queue}`,
          text: `delete from ${queue} where id = any ($1::bigint[])`,
          values: [claimed.map(({ id }) => id)],
        }),
    )
  }

  async prepare(): Promise<void> {
    const { bodyType, storage, index } = this.#shape
    for (const queue of this.#task.queues) {
      await this.#pool.query(`create table ${queue} (
        id bigint generated always as identity primary key,
        visible_at timestamptz not null default now(),
        attempt int not null default 0,
        body ${bodyType} not null
      ) ${storage}`)
      if (index !== undefined) await this.#pool.query(`create index on ${queue} (${index})`)
    }
  }

  async enqueue(bodies: readonly object[]): Promise<void> {
    const texts = bodies.map((body) => JSON.stringify(body))
    const inserts = this.#task.queues.map(
      (queue, index) =>
        `into_${index} as (insert into ${queue} (body) select body::${this.#shape.bodyType} from unnest($1::text[]) as body)`,
    )
    await this.#pool.query({
      name: 'enqueue',
      text: `with ${inserts.join(', ')} select`,
      values: [texts],
    })
  }

  work(onAcked: (count: number) => void): void {
    this.#workers.start(this.#task.queues, this.#task.workers, onAcked)
  }

  async close(): Promise<void> {
    await this.#workers.stop()
    await this.#pool.end()
  }

  async #claim(queue: string): Promise<Claimed[]> {
    const { rows } = await this.#pool.query<{ id: string; body: string }>({
      name: `claim-${queue}`,
      text: `with next as (
          select id from ${queue} where visible_at <= now()
          order by id limit $1 for update skip locked)
        update ${queue} as message
        set visible_at = now() + interval '30 s', attempt = attempt + 1
        from next where message.id = next.id
        returning message.id, message.body`,
      values: [this.#task.batchSize],
    })
    // As a worker would: the text alone is of no use. The driver has parsed what is `jsonb`.
    if (this.#shape.bodyType === 'text') for (const { body } of rows) JSON.parse(body)
    return rows
  }
}
