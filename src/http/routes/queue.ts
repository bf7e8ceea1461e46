import { MillraceError } from '../../errors.ts'
import type { Consumer } from '../../queue/consumer.ts'
import type {
  QueueService,
  Received,
  ReceiveOptions,
  Settlement,
  SettlementResult,
} from '../../queue/queue-service.ts'
import { expectConsumer } from '../expect-consumer.ts'
import type { Reply } from '../problem.ts'
import { defineRoutes, reply, SETTLE_BYTES_MAX, type Call, type Handlers } from '../route.ts'
import {
  ackRequest,
  extendRequest,
  nackRequest,
  receiveRequest,
  receiveResponse,
  SETTLEMENTS_MAX,
  settleRequest,
  settleResponse,
} from '../schemas/queue.ts'

const path = (verb: string): string => `/v1/consumers/{consumer}/${verb}`
const access = { scope: 'consume', over: 'consumer' } as const
const settleAnswers = {
  200: { description: 'Everything was done as asked.', schema: settleResponse },
  207: { description: 'Some ids were not; the results say which and why.', schema: settleResponse },
}

export const queueDefinitions = defineRoutes({
  receiveMessages: {
    method: 'post',
    path: path('receive'),
    tag: 'Queue',
    summary: 'Lease messages',
    description:
      'Answers as soon as a message can be delivered, at the latest when the wait ends. A client that hangs up gets nothing leased.',
    access,
    body: {
      schema: receiveRequest,
      isOptional: true,
      bytesMax: SETTLE_BYTES_MAX,
      examples: {
        batch: { batch_size: 100, wait_for: '20s' },
        next: { ack_ids: ['a-1-2s-k3x9f2-0-1z4'], batch_size: 1, wait_for: '20s' },
      },
    },
    answers: { 200: { description: 'Messages, or none.', schema: receiveResponse } },
    refusals: [409, 429],
  },
  ackMessages: {
    method: 'post',
    path: path('ack'),
    tag: 'Queue',
    summary: 'Acknowledge messages',
    description: 'Done with: not delivered again. Acking twice does no harm.',
    access,
    body: {
      schema: ackRequest,
      bytesMax: SETTLE_BYTES_MAX,
      examples: { two: { ack_ids: ['a-1-2s-k3x9f2-0-1z4', 'a-1-2s-k3x9f2-1-1z5'] } },
    },
    answers: settleAnswers,
  },
  nackMessages: {
    method: 'post',
    path: path('nack'),
    tag: 'Queue',
    summary: 'Give messages back',
    description: 'They are delivered again: after `delay`, or as the retry policy says.',
    access,
    body: {
      schema: nackRequest,
      bytesMax: SETTLE_BYTES_MAX,
      examples: {
        later: { ack_ids: ['a-1-2s-k3x9f2-0-1z4'], delay: '30s', reason: 'gateway answered 503' },
      },
    },
    answers: settleAnswers,
  },
  extendMessages: {
    method: 'post',
    path: path('extend'),
    tag: 'Queue',
    summary: 'Hold messages longer',
    access,
    body: {
      schema: extendRequest,
      bytesMax: SETTLE_BYTES_MAX,
      examples: { minute: { ack_ids: ['a-1-2s-k3x9f2-0-1z4'], visibility_timeout_ms: 60_000 } },
    },
    answers: settleAnswers,
  },
  settleMessages: {
    method: 'post',
    path: path('settle'),
    tag: 'Queue',
    summary: 'Settle messages in different ways, in one call',
    access,
    body: {
      schema: settleRequest,
      bytesMax: SETTLE_BYTES_MAX,
      examples: {
        mixed: {
          acks: [{ ack_id: 'a-1-2s-k3x9f2-0-1z4' }],
          nacks: [{ ack_id: 'a-1-2s-k3x9f2-1-1z5', delay: '5s', reason: 'timeout' }],
          dead_letters: [{ ack_id: 'a-1-2s-k3x9f2-2-1z6', reason: 'total is null' }],
        },
      },
    },
    answers: settleAnswers,
  },
})

type Definitions = typeof queueDefinitions

export function createQueueHandlers(queues: QueueService): Handlers<Definitions> {
  const settle = async (
    reference: string,
    settlements: Settlement[],
    toPointer: (index: number) => string,
  ): Promise<Reply> => {
    refuseRepeated(settlements, toPointer)
    const consumer = await expectConsumer(queues, reference)
    return presentResults(await settleAt(queues, consumer, settlements, toPointer))
  }
  const settleAll = (
    call: { param: Call<Definitions['ackMessages']>['param'] },
    ackIds: string[],
    toSettlement: (ackId: string) => Settlement,
  ): Promise<Reply> => settle(call.param('consumer'), ackIds.map(toSettlement), pointAtAckId)

  return {
    async receiveMessages(call) {
      const consumer = await expectConsumer(queues, call.param('consumer'))
      const { body } = call
      const { signal } = call.exchange
      const acking = body.ack_ids?.length ? ackFirst(queues, consumer, body.ack_ids) : undefined
      const receiving = receiveFrom(queues, consumer, {
        batchSize: body.batch_size,
        waitMs: body.wait_for,
        maxBytes: body.max_bytes,
        signal,
        ...(body.visibility_timeout_ms === undefined
          ? {}
          : { visibilityTimeoutMs: body.visibility_timeout_ms }),
        ...(body.worker === undefined ? {} : { worker: body.worker }),
      })
      if (!acking) return { status: 200, body: presentReceived(await receiving) }
      const [acked, received] = await Promise.allSettled([acking, receiving])
      if (received.status === 'rejected') throw received.reason
      if (acked.status === 'rejected') {
        void received.value.giveBack().catch(() => undefined)
        throw acked.reason
      }
      return { status: 200, body: presentReceived(received.value, acked.value) }
    },
    ackMessages: (call) => settleAll(call, call.body.ack_ids, (ackId) => ({ kind: 'ack', ackId })),
    nackMessages(call) {
      const { ack_ids, delay, reason, count_attempt, dead_letter } = call.body
      const why = reason === undefined ? {} : { reason }
      const rest = { ...why, ...(delay === undefined ? {} : { delayMs: delay }) }
      return settleAll(call, ack_ids, (ackId) =>
        dead_letter
          ? { kind: 'dead_letter', ackId, ...why }
          : { kind: 'nack', ackId, countAttempt: count_attempt, ...rest },
      )
    },
    extendMessages: (call) =>
      settleAll(call, call.body.ack_ids, (ackId) => ({
        kind: 'extend',
        ackId,
        visibilityTimeoutMs: call.body.visibility_timeout_ms,
      })),
    settleMessages(call) {
      const { settlements, pointers } = listSettlements(call.body)
      return settle(call.param('consumer'), settlements, (index) => pointers[index] ?? '')
    },
  }
}

/**
 * Leases messages for one request, which get back when its client is gone.
 * @throws MillraceError `consumer_is_push`, and what `QueueService.receive` throws
 */
export async function receiveFrom(
  queues: QueueService,
  consumer: Consumer,
  options: ReceiveOptions & { signal: AbortSignal },
): Promise<Received> {
  expectPull(consumer)
  const received = await queues.receive(consumer, options)
  giveBackWhenGone(received, options.signal)
  return received
}

function expectPull({ mode, name }: Consumer): void {
  if (mode !== 'push') return
  throw new MillraceError(
    'consumer_is_push',
    `The messages of "${name}" are pushed to its webhook; receive takes consumers of mode "pull".`,
  )
}

/**
 * The messages of a client that hangs up, before the answer is written or while it
 * is, go back. The server aborts the signal when the connection closes with an
 * answer unfinished, and only then.
 */
function giveBackWhenGone({ messages, giveBack }: Received, signal: AbortSignal): void {
  if (messages.length === 0) return
  // It lives until the answer is written, which is no reason for the messages to live as long.
  const onAbort = (): void => {
    // Should it fail, the lease runs out.
    giveBack().catch(() => undefined)
  }
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
}

/**
 * Acks on the way to a receive. An id that is malformed refuses the whole call, before
 * anything is done; where it is refused for another reason, the acks are done all the same.
 */
function ackFirst(
  queues: QueueService,
  consumer: Consumer,
  ackIds: readonly string[],
): Promise<SettlementResult[]> {
  expectPull(consumer)
  const settlements = ackIds.map((ackId) => ({ kind: 'ack', ackId }) as const)
  refuseRepeated(settlements, pointAtAckId)
  return settleAt(queues, consumer, settlements, pointAtAckId)
}

/**
 * Put together: the messages are JSON text already. One text that grows, which the engine
 * makes one piece of when it is sent, not a text a message and another one of all.
 */
function presentReceived(
  { messages, limitedBy }: Received,
  acks?: readonly SettlementResult[],
): string {
  let json = '{"data":['
  for (const [index, message] of messages.entries()) {
    json += index === 0 ? message.toJson() : `,${message.toJson()}`
  }
  json += `],"meta":{"limited_by":${JSON.stringify(limitedBy)}}`
  return acks ? `${json},"acks":${presentAcks(acks)}}` : `${json}}`
}

function presentAcks(results: readonly SettlementResult[]): string {
  const lost = results.filter(({ status }) => status === 'lease_lost')
  return JSON.stringify({ success: lost.length === 0, lost: lost.map(presentResult) })
}

function listSettlements(body: Call<Definitions['settleMessages']>['body']): {
  settlements: Settlement[]
  pointers: string[]
} {
  const settlements: Settlement[] = [
    ...body.acks.map(({ ack_id }): Settlement => ({ kind: 'ack', ackId: ack_id })),
    ...body.nacks.map(({ ack_id, delay, reason, count_attempt }): Settlement => ({
      kind: 'nack',
      ackId: ack_id,
      countAttempt: count_attempt,
      ...(delay === undefined ? {} : { delayMs: delay }),
      ...(reason === undefined ? {} : { reason }),
    })),
    ...body.dead_letters.map(({ ack_id, reason }): Settlement => ({
      kind: 'dead_letter',
      ackId: ack_id,
      ...(reason === undefined ? {} : { reason }),
    })),
    ...body.extends.map(({ ack_id, visibility_timeout_ms }): Settlement => ({
      kind: 'extend',
      ackId: ack_id,
      visibilityTimeoutMs: visibility_timeout_ms,
    })),
  ]
  if (settlements.length === 0 || settlements.length > SETTLEMENTS_MAX) {
    const detail = `must name 1 to ${SETTLEMENTS_MAX} messages in all, not ${settlements.length}`
    throw new MillraceError('validation_failed', `The body ${detail}`, {
      errors: [{ pointer: '', detail }],
    })
  }
  const pointers = (['acks', 'nacks', 'dead_letters', 'extends'] as const).flatMap((list) =>
    body[list].map((_item, index) => `/${list}/${index}/ack_id`),
  )
  return { settlements, pointers }
}

/** Two wishes for one message in one call: which one is meant cannot be known. */
function refuseRepeated(
  settlements: readonly Settlement[],
  toPointer: (index: number) => string,
): void {
  const seen = new Set<string>()
  settlements.forEach(({ ackId }, index) => {
    seen.add(ackId)
    if (seen.size === index + 1) return
    throw new MillraceError('validation_failed', `The id "${ackId}" is given twice.`, {
      errors: [{ pointer: toPointer(index), detail: 'is given twice' }],
    })
  })
}

const pointAtAckId = (index: number): string => `/ack_ids/${index}`

/**
 * Settles. Where an id is malformed it throws before anything is done, and at once, not by
 * rejecting; the error points to where the client wrote the id.
 */
export function settleAt(
  queues: QueueService,
  consumer: Consumer,
  settlements: readonly Settlement[],
  toPointer: (index: number) => string,
): Promise<SettlementResult[]> {
  try {
    return queues.settle(consumer, settlements)
  } catch (error) {
    throw repoint(error, toPointer)
  }
}

/** The queue points into its list of settlements, the client sent a body. */
function repoint(error: unknown, toPointer: (index: number) => string): unknown {
  if (!(error instanceof MillraceError) || error.code !== 'malformed_ack_id') return error
  const errors = error.errors.map(({ pointer, detail }) => ({
    pointer: toPointer(Number(pointer.slice(1))),
    detail,
  }))
  return new MillraceError('malformed_ack_id', error.message, { errors, cause: error })
}

function presentResults(results: readonly SettlementResult[]): Reply {
  const counts: Partial<Record<SettlementResult['status'], number>> = {}
  for (const { status } of results) counts[status] = (counts[status] ?? 0) + 1
  const success = counts.lease_lost === undefined
  return reply(success ? 200 : 207, { success, results: results.map(presentResult), counts })
}

function presentResult(result: SettlementResult): Record<string, string> {
  const { ackId: ack_id, status } = result
  switch (status) {
    case 'nacked':
      return { ack_id, status, visible_at: result.visibleAt }
    case 'extended':
      return { ack_id, status, lease_expires_at: result.leaseExpiresAt }
    case 'lease_lost':
      return { ack_id, status, detail: result.detail }
    default:
      return { ack_id, status }
  }
}
