import type { LeasedMessage, QueueService, Settlement } from '../../queue/queue-service.ts'
import { expectConsumer } from '../expect-consumer.ts'
import type { Reply } from '../problem.ts'
import { defineRoutes, reply, SETTLE_BYTES_MAX, type Call, type Handlers } from '../route.ts'
import {
  sequinReceiveQuery,
  sequinReceiveRequest,
  sequinReceiveResponse,
  sequinSettleRequest,
  sequinSettleResponse,
  type SequinReceive,
} from '../schemas/sequin.ts'
import { receiveFrom, settleAt } from './queue.ts'

/** As much as `/v1` gives by default. */
const BYTES_MAX = 4 * 1024 * 1024

const tag = 'Sequin'
const access = { scope: 'consume', over: 'consumer' } as const
const pull = (verb: string): string => `/api/http_pull_consumers/{consumer}/${verb}`
const stream = (verb: string): string => `/api/sequin_streams/{consumer}/${verb}`

const receiving = {
  tag,
  summary: 'Lease messages, in Sequin’s shape',
  access,
  answers: { 200: { description: 'Messages, or none.', schema: sequinReceiveResponse } },
  refusals: [409, 429],
} as const
const posting = {
  ...receiving,
  method: 'post',
  body: { schema: sequinReceiveRequest, isOptional: true },
} as const
/** It leases although it is a GET: that is how Sequin has it. Answers are never cached. */
const getting = { ...receiving, method: 'get', query: sequinReceiveQuery } as const

const settling = {
  method: 'post',
  tag,
  access,
  body: { schema: sequinSettleRequest, bytesMax: SETTLE_BYTES_MAX },
  answers: { 200: { description: 'Done.', schema: sequinSettleResponse } },
} as const
const acking = { ...settling, summary: 'Acknowledge messages, as Sequin’s clients do' } as const
const nacking = {
  ...settling,
  summary: 'Give messages back, as Sequin’s clients do',
  description: 'The first time they come again at once, then as the retry policy says.',
} as const

export const sequinDefinitions = defineRoutes({
  sequinReceive: { ...posting, path: pull('receive') },
  sequinReceiveByGet: { ...getting, path: pull('receive') },
  sequinAck: { ...acking, path: pull('ack') },
  sequinNack: { ...nacking, path: pull('nack') },
  sequinStreamReceive: { ...posting, path: stream('receive') },
  sequinStreamReceiveByGet: { ...getting, path: stream('receive') },
  sequinStreamAck: { ...acking, path: stream('ack') },
  sequinStreamNack: { ...nacking, path: stream('nack') },
})

type Definitions = typeof sequinDefinitions
type AnyCall = Pick<Call<Definitions['sequinAck']>, 'exchange' | 'param'>
type SettleCall = Pick<Call<Definitions['sequinAck']>, 'param' | 'body'>

/** The calls of Sequin's pull consumers, on the same queues as `/v1`. */
export function createSequinHandlers(queues: QueueService): Handlers<Definitions> {
  const receive = async ({ exchange, param }: AnyCall, asked: SequinReceive): Promise<Reply> => {
    const received = await receiveFrom(queues, await expectConsumer(queues, param('consumer')), {
      batchSize: asked.max_batch_size ?? asked.batch_size ?? 1,
      waitMs: asked.wait_for,
      maxBytes: BYTES_MAX,
      signal: exchange.signal,
    })
    return { status: 200, body: `{"data":[${received.messages.map(presentMessage).join(',')}]}` }
  }
  const settle = async ({ param, body }: SettleCall, kind: 'ack' | 'nack'): Promise<Reply> => {
    const consumer = await expectConsumer(queues, param('consumer'))
    // Twice the same wish for one message is no contradiction here.
    const ids = [...new Set(body.ack_ids)]
    const settlements = ids.map((ackId): Settlement => ({ kind, ackId }))
    const results = await settleAt(queues, consumer, settlements, (index) => {
      return `/ack_ids/${body.ack_ids.indexOf(ids[index] ?? '')}`
    })
    const lost = results.filter(({ status }) => status === 'lease_lost')
    // Sequin's clients know of success only: a lost lease is told beside it.
    return reply(200, {
      success: true,
      ...(lost.length === 0 ? {} : { lease_lost: lost.map(({ ackId }) => ackId) }),
    })
  }
  const ack = (call: SettleCall): Promise<Reply> => settle(call, 'ack')
  const nack = (call: SettleCall): Promise<Reply> => settle(call, 'nack')
  return {
    sequinReceive: (call) => receive(call, call.body),
    sequinReceiveByGet: (call) => receive(call, call.query),
    sequinAck: ack,
    sequinNack: nack,
    sequinStreamReceive: (call) => receive(call, call.body),
    sequinStreamReceiveByGet: (call) => receive(call, call.query),
    sequinStreamAck: ack,
    sequinStreamNack: nack,
  }
}

/**
 * `delivery` comes last, and Sequin has none: it is cut off. Inside of its texts
 * quotes are escaped, so its name is found where it begins and nowhere behind.
 */
function presentMessage(message: LeasedMessage): string {
  const json = message.toPushJson()
  return `{"ack_id":"${message.ackId}","data":${json.slice(0, json.lastIndexOf(',"delivery":'))}}}`
}
