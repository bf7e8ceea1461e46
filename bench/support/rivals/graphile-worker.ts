import {
  Logger,
  makeWorkerUtils,
  run,
  runMigrations,
  type Runner,
  type RunnerOptions,
  type WorkerUtils,
} from 'graphile-worker'

import type { Rival, RivalTask } from './rival.ts'

/** Of the settings its authors measure with. */
const CONCURRENT_JOBS = 24
const LOCAL_QUEUE_SIZE = 500
const CONNECTIONS_MAX = 32

const quiet = new Logger(() => () => undefined)

/**
 * graphile-worker, a runner for each queue. It has no batches of its own: for those,
 * its local queue and batched completion; for single messages, neither.
 */
export class GraphileWorkerRival implements Rival {
  readonly #task: RivalTask
  #utils: WorkerUtils | undefined
  #runners: Promise<Runner>[] = []

  constructor(task: RivalTask) {
    this.#task = task
  }

  async prepare(): Promise<void> {
    const { url } = this.#task
    await runMigrations({ connectionString: url, logger: quiet })
    this.#utils = await makeWorkerUtils({ connectionString: url, logger: quiet })
  }

  async enqueue(bodies: readonly object[]): Promise<void> {
    for (const identifier of this.#task.queues) {
      await this.#utils!.addJobs(bodies.map((payload) => ({ identifier, payload })))
    }
  }

  work(onAcked: (count: number) => void): void {
    this.#runners = this.#task.queues.map((queue) => {
      const runner = run(this.#makeOptions(queue))
      void runner.then(({ events }) => events.on('job:complete', () => onAcked(1)))
      return runner
    })
  }

  async close(): Promise<void> {
    for (const runner of this.#runners) await (await runner).stop()
    await this.#utils?.release()
  }

  #makeOptions(queue: string): RunnerOptions {
    const { url, workers, batchSize, queues } = this.#task
    const batches = batchSize > 1
    return {
      logger: quiet,
      noHandleSignals: true,
      crontab: '',
      taskList: { [queue]: () => undefined },
      preset: {
        worker: {
          connectionString: url,
          maxPoolSize: Math.ceil(CONNECTIONS_MAX / queues.length),
          concurrentJobs: batches ? CONCURRENT_JOBS : workers,
          ...(batches
            ? {
                localQueue: { size: LOCAL_QUEUE_SIZE },
                completeJobBatchDelay: 0,
                failJobBatchDelay: 0,
              }
            : {}),
        },
      },
    }
  }
}
