import { MillraceError } from '../../errors.ts'
import { purgeConsumer } from '../../queue/operations/purge.ts'
import { discardMessages, redriveMessages } from '../../queue/operations/redrive.ts'
import { startReplay } from '../../queue/operations/replay.ts'
import { resolveKey } from '../../queue/operations/resolve-key.ts'
import { seekConsumer } from '../../queue/operations/seek.ts'
import type { Consumer } from '../../queue/consumer.ts'
import type { QueueService } from '../../queue/queue-service.ts'
import type { LogTarget } from '../../queue/start-cursor.ts'
import type { Db } from '../../storage/database.ts'
import { expectConsumer } from '../expect-consumer.ts'
import { defineRoutes, reply, type Handlers } from '../route.ts'
import {
  discardRequest,
  discardResponse,
  purgeRequest,
  purgeResponse,
  redriveRequest,
  redriveResponse,
  replayRequest,
  replayResponse,
  seekRequest,
  seekResponse,
  type TargetInput,
} from '../schemas/messages.ts'

const one = '/v1/consumers/{consumer}'
const tag = 'Operations'
const access = { scope: 'manage', over: 'consumer' } as const

export const movementDefinitions = defineRoutes({
  seekConsumer: {
    method: 'post',
    path: `${one}/seek`,
    tag,
    summary: 'Move the cursor',
    description:
      'What lies before the target counts as acked, what lies after it as never delivered. Leases are lost. With `dry_run` it only counts.',
    access,
    body: {
      schema: seekRequest,
      examples: { hour: { to: { time: '2026-01-31T12:00:00Z' }, dry_run: true } },
    },
    answers: { 200: { description: 'Moved, or counted.', schema: seekResponse } },
  },
  replayConsumer: {
    method: 'post',
    path: `${one}/replay`,
    tag,
    summary: 'Deliver old messages again, beside the cursor',
    description:
      'From the first target up to, not with, the second. Messages carry `delivery.replay`. At most ten replays run at once.',
    access,
    body: { schema: replayRequest, examples: { row: { from: 'earliest', key: 42 } } },
    answers: { 202: { description: 'Begun.', schema: replayResponse } },
    refusals: [409],
  },
  redriveConsumer: {
    method: 'post',
    path: `${one}/redrive`,
    tag,
    summary: 'Put dead or retrying messages up for delivery now',
    description: 'At most 10,000 a call; `remaining` says how many are left.',
    access,
    body: { schema: redriveRequest, examples: { all: { all: true, skip_superseded: true } } },
    answers: { 200: { description: 'Done.', schema: redriveResponse } },
  },
  discardMessages: {
    method: 'post',
    path: `${one}/discard`,
    tag,
    summary: 'Give dead or retrying messages up for good',
    access,
    body: { schema: discardRequest, examples: { some: { seqs: [17, 18] } } },
    answers: { 200: { description: 'Done.', schema: discardResponse } },
  },
  purgeConsumer: {
    method: 'post',
    path: `${one}/purge`,
    tag,
    summary: 'Empty the queue',
    description: 'Whatever state its messages are in. The log and other consumers are untouched.',
    access,
    body: { schema: purgeRequest, examples: { inventory: { confirm: 'inventory' } } },
    answers: { 200: { description: 'Emptied.', schema: purgeResponse } },
  },
})

export function createMovementHandlers(deps: {
  db: Db
  queues: QueueService
}): Handlers<typeof movementDefinitions> {
  const { db, queues } = deps
  /** The notification of it comes a moment later; whoever asks here next must not be served by what was. */
  const move = async <T>(consumer: Consumer, work: Promise<T>): Promise<T> => {
    const result = await work
    queues.noteMoved(consumer)
    return result
  }
  return {
    async seekConsumer({ param, body }) {
      const consumer = await expectConsumer(queues, param('consumer'))
      const options = { dryRun: body.dry_run }
      const result = await move(consumer, seekConsumer(db, consumer, readTarget(body.to), options))
      return reply(200, {
        cursor_seq: result.cursorSeq,
        would_redeliver: result.wouldRedeliver,
        would_skip: result.wouldSkip,
        dry_run: body.dry_run,
      })
    },
    async replayConsumer({ param, body }) {
      const consumer = await expectConsumer(queues, param('consumer'))
      const range = {
        from: readTarget(body.from),
        to: readTarget(body.to),
        key: body.key === undefined ? null : await resolveKey(db, consumer, [body.key].flat()),
      }
      const { replayNo, total } = await move(consumer, startReplay(db, consumer, range))
      return reply(202, { replay: replayNo, total })
    },
    async redriveConsumer({ param, body }) {
      const consumer = await expectConsumer(queues, param('consumer'))
      const which = body.seqs === undefined ? 'all' : { seqs: body.seqs }
      const options = { skipSuperseded: body.skip_superseded }
      return reply(200, await move(consumer, redriveMessages(db, consumer, which, options)))
    },
    async discardMessages({ param, body }) {
      const consumer = await expectConsumer(queues, param('consumer'))
      const which = body.seqs === undefined ? 'all' : { seqs: body.seqs }
      const discarded = await move(consumer, discardMessages(db, consumer, which))
      return reply(200, { discarded })
    },
    async purgeConsumer({ param, body }) {
      const consumer = await expectConsumer(queues, param('consumer'))
      if (body.confirm !== consumer.name) {
        throw new MillraceError(
          'validation_failed',
          `To purge, confirm with the name of the consumer: "${consumer.name}".`,
          { errors: [{ pointer: '/confirm', detail: `must be "${consumer.name}"` }] },
        )
      }
      return reply(200, { purged: await move(consumer, purgeConsumer(db, consumer)) })
    },
  }
}

function readTarget(input: TargetInput): LogTarget {
  if (typeof input === 'string') return input
  if ('time' in input) return { time: new Date(input.time) }
  return 'seq' in input ? { seq: input.seq } : { commitLsn: String(input.commit_lsn) }
}
