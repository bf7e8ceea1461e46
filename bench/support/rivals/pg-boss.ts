import PgBoss from 'pg-boss'

import { PullWorkers } from './pull-workers.ts'
import type { Rival, RivalTask } from './rival.ts'

/** Its default; with more it is slower here: they wait for each other. */
const CONNECTIONS_MAX = 10

/** pg-boss with `insert`, `fetch` and `complete` in batches, without its own polling intervals. */
export class PgBossRival implements Rival {
  readonly #task: RivalTask
  readonly #boss: PgBoss
  readonly #workers: PullWorkers<PgBoss.Job>

  constructor(task: RivalTask) {
    this.#task = task
    this.#boss = new PgBoss({
      connectionString: task.url,
      max: Math.min(task.queues.length * task.workers + 1, CONNECTIONS_MAX),
      schedule: false,
      supervise: false,
    })
    this.#boss.on('error', (error) => console.error(error))
    this.#workers = new PullWorkers<PgBoss.Job>(
      (queue) => this.#boss.fetch(queue, { batchSize: task.batchSize }),
      (queue, jobs) =>
        this.#boss.complete(
          queue,
          jobs.map(({ id }) => id),
        ),
    )
  }

  async prepare(): Promise<void> {
    await this.#boss.start()
    for (const queue of this.#task.queues) await this.#boss.createQueue(queue)
  }

  async enqueue(bodies: readonly object[]): Promise<void> {
    for (const name of this.#task.queues) {
      await this.#boss.insert(bodies.map((data) => ({ name, data })))
    }
  }

  work(onAcked: (count: number) => void): void {
    this.#workers.start(this.#task.queues, this.#task.workers, onAcked)
  }

  async close(): Promise<void> {
    await this.#workers.stop()
    await this.#boss.stop({ graceful: false, wait: false })
  }
}
