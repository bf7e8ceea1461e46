import { once } from 'node:events'

import { OrderDesk } from '../orders.ts'
import { serveTask } from '../worker-process.ts'
import { GraphileWorkerRival } from './graphile-worker.ts'
import { PgBossRival } from './pg-boss.ts'
import {
  ENQUEUED_AT_ONCE,
  makeBody,
  type Rival,
  type RivalAnswer,
  type RivalTask,
} from './rival.ts'
import { PLAIN, SkipLocked, TUNED } from './skip-locked.ts'

const RIVALS: Record<string, (task: RivalTask) => Rival> = {
  'direct SQL': (task) => new SkipLocked(task, PLAIN),
  'direct SQL, tuned': (task) => new SkipLocked(task, TUNED),
  'pg-boss': (task) => new PgBossRival(task),
  'graphile-worker': (task) => new GraphileWorkerRival(task),
}

/**
 * Places all orders, and puts each into the queues, while they are worked off; answers how
 * many were acked in which time, from the first one put in to the last ack. What the
 * application stores it stores with any of them: ours reads it from there, here it is put
 * into the queues beside.
 */
serveTask(async (task: RivalTask): Promise<RivalAnswer> => {
  const rival = RIVALS[task.system]!(task)
  await rival.prepare()
  const desk = new OrderDesk(task.url)
  await desk.open()
  const over = new AbortController()
  let acked = 0
  rival.work((count) => {
    if (over.signal.aborted) return
    acked += count
    if (acked >= task.messages * task.queues.length) over.abort()
  })
  const startedAt = performance.now()
  const timer = setTimeout(() => over.abort(), task.secondsMax * 1000)
  for (let n = 0; n < task.messages && !over.signal.aborted; n += ENQUEUED_AT_ONCE) {
    const count = Math.min(ENQUEUED_AT_ONCE, task.messages - n)
    await desk.place(n, count)
    await rival.enqueue(Array.from({ length: count }, (_, index) => makeBody(n + index)))
  }
  if (!over.signal.aborted) await once(over.signal, 'abort')
  const seconds = (performance.now() - startedAt) / 1000
  clearTimeout(timer)
  await rival.close()
  await desk.close()
  return { messages: acked, seconds }
})
