import { OrderDesk } from '../orders.ts'
import { serveTask } from '../worker-process.ts'
import { GraphileWorkerRival } from './graphile-worker.ts'
import { PgBossRival } from './pg-boss.ts'
import { ENQUEUED_AT_ONCE, makeBody, type Rival, type RivalTask } from './rival.ts'
import { PLAIN, SkipLocked, TUNED } from './skip-locked.ts'

const RIVALS: Record<string, (task: RivalTask) => Rival> = {
  'direct SQL': (task) => new SkipLocked(task, PLAIN),
  'direct SQL, tuned': (task) => new SkipLocked(task, TUNED),
  'pg-boss': (task) => new PgBossRival(task),
  'graphile-worker': (task) => new GraphileWorkerRival(task),
}

/**
 * Places all orders, and puts each into the queues, while they are worked off; answers
 * the seconds from the first to the last. What the application stores it stores with
 * any of them: ours reads it from there, here it is put into the queues beside.
 */
serveTask(async (task: RivalTask): Promise<number> => {
  const rival = RIVALS[task.system]!(task)
  await rival.prepare()
  const desk = new OrderDesk(task.url)
  await desk.open()
  const done = Promise.withResolvers<void>()
  let left = task.messages * task.queues.length
  rival.work((count) => {
    left -= count
    if (left <= 0) done.resolve()
  })
  const startedAt = performance.now()
  for (let n = 0; n < task.messages; n += ENQUEUED_AT_ONCE) {
    const count = Math.min(ENQUEUED_AT_ONCE, task.messages - n)
    await desk.place(n, count)
    await rival.enqueue(Array.from({ length: count }, (_, index) => makeBody(n + index)))
  }
  await done.promise
  const seconds = (performance.now() - startedAt) / 1000
  await rival.close()
  await desk.close()
  return seconds
})
