import { serveTask } from '../worker-process.ts'
import { GraphileWorkerRival } from './graphile-worker.ts'
import { PgBossRival } from './pg-boss.ts'
import { ENQUEUED_AT_ONCE, makeBody, type Rival, type RivalTask } from './rival.ts'
import { SkipLocked } from './skip-locked.ts'

const RIVALS: Record<string, new (task: RivalTask) => Rival> = {
  'direct SQL': SkipLocked,
  'pg-boss': PgBossRival,
  'graphile-worker': GraphileWorkerRival,
}

/** Puts all messages in while they are worked off; answers the seconds from the first to the last. */
serveTask(async (task: RivalTask): Promise<number> => {
  const rival = new RIVALS[task.system]!(task)
  await rival.prepare()
  const done = Promise.withResolvers<void>()
  let left = task.messages * task.queues.length
  rival.work((count) => {
    left -= count
    if (left <= 0) done.resolve()
  })
  const startedAt = performance.now()
  for (let n = 0; n < task.messages; n += ENQUEUED_AT_ONCE) {
    const count = Math.min(ENQUEUED_AT_ONCE, task.messages - n)
    await rival.enqueue(Array.from({ length: count }, (_, index) => makeBody(n + index)))
  }
  await done.promise
  const seconds = (performance.now() - startedAt) / 1000
  await rival.close()
  return seconds
})
