import { expectSource } from '../../capture/source.ts'
import { createNotFound, MillraceError } from '../../errors.ts'
import {
  findChange,
  listChanges,
  listSourceConsumers,
} from '../../queue/operations/list-changes.ts'
import { followConsumer } from '../../queue/operations/follow-consumer.ts'
import { listMessages, type ListedMessage } from '../../queue/operations/list-messages.ts'
import { showChange } from '../../queue/operations/show-change.ts'
import type { LogEntry } from '../../log/entry.ts'
import type { QueueService } from '../../queue/queue-service.ts'
import type { Database } from '../../storage/database.ts'
import { expectConsumer } from '../expect-consumer.ts'
import { toListed } from '../list-entry.ts'
import { decodeNumberCursor, decodeNumbersCursor, makePage } from '../page.ts'
import { presentChange, presentMessage, presentPlace, readKey } from '../present-message.ts'
import type { Reply } from '../problem.ts'
import { defineRoutes, type Handlers } from '../route.ts'
import {
  changeList,
  changesQuery,
  fanOutSchema,
  followedChanges,
  followQuery,
  messageList,
  messagesQuery,
} from '../schemas/messages.ts'

const tag = 'Looking'

export const messageDefinitions = defineRoutes({
  listMessages: {
    method: 'get',
    path: '/v1/consumers/{consumer}/messages',
    tag,
    summary: 'List messages in one state',
    description: 'Oldest first. Looking never counts as a delivery.',
    access: { scope: 'read', over: 'consumer' },
    query: messagesQuery,
    answers: { 200: { description: 'A page of messages.', schema: messageList } },
  },
  getMessage: {
    method: 'get',
    path: '/v1/consumers/{consumer}/messages/{seq}',
    tag,
    summary: 'Look at one message',
    description: 'The change, and where it stands with this consumer (`consumers` has one entry).',
    access: { scope: 'read', over: 'consumer' },
    answers: { 200: { description: 'The message.', schema: fanOutSchema } },
  },
  followConsumer: {
    method: 'get',
    path: '/v1/consumers/{consumer}/changes',
    tag,
    summary: 'Follow what a consumer selects',
    description:
      'Changes of the log that the consumer selects, its filter included, whatever became of them. Call again with `last_seq` as `after`. A page may be empty although `has_more`, where the filter lets few pass.',
    access: { scope: 'read', over: 'consumer' },
    query: followQuery,
    answers: { 200: { description: 'Changes, oldest first.', schema: followedChanges } },
  },
  listChanges: {
    method: 'get',
    path: '/v1/sources/{source}/changes',
    tag,
    summary: 'List changes of the log',
    access: { scope: 'read', over: 'everything' },
    query: changesQuery,
    answers: { 200: { description: 'A page of changes.', schema: changeList } },
  },
  getChange: {
    method: 'get',
    path: '/v1/sources/{source}/changes/{seq}',
    tag,
    summary: 'Follow one change through its fan-out',
    description: 'The change, and its state with every consumer that selects it.',
    access: { scope: 'read', over: 'everything' },
    answers: { 200: { description: 'The change.', schema: fanOutSchema } },
  },
})

interface MessageDeps {
  database: Database
  queues: QueueService
}

export function createMessageHandlers(deps: MessageDeps): Handlers<typeof messageDefinitions> {
  const { database, queues } = deps
  const { db } = database
  const findRecentAck: QueueService['recentAckOf'] = (consumer, seq) =>
    queues.recentAckOf(consumer, seq)
  return {
    async listMessages({ param, query }) {
      const consumer = await expectConsumer(queues, param('consumer'))
      const after = decodeNumbersCursor(query.cursor, 2)
      const rows = await listMessages(db, consumer, {
        state: query.state,
        ...readSearch(query),
        ...(after === undefined ? {} : { after: { seq: after[0]!, replay: after[1]! } }),
        limit: query.limit + 1,
      })
      const keyOf = ({ seq, replay }: ListedMessage): string => `${seq}/${replay}`
      return replyPage(rows, query.limit, { keyOf, present: presentMessage })
    },
    async getMessage({ param }) {
      const consumer = await expectConsumer(queues, param('consumer'))
      const entry = await findChange(database, consumer.sourceNo, readSeq(param('seq')))
      const places = entry ? await showChange(db, [consumer], entry, findRecentAck) : []
      if (!entry || places.length === 0) throw createNotFound('message', param('seq'))
      return replyFanOut(entry, places)
    },
    async followConsumer({ param, query: { after, from, limit } }) {
      const consumer = await expectConsumer(queues, param('consumer'))
      const { entries, lastSeq, hasMore } = await followConsumer(database, consumer, {
        after,
        limit,
        ...(from === undefined ? {} : { from: new Date(from) }),
      })
      const data = entries.map((entry) => `${presentChange(toListed(entry))}}`).join(',')
      return {
        status: 200,
        body: `{"data":[${data}],"last_seq":${lastSeq},"has_more":${hasMore}}`,
      }
    },
    async listChanges({ param, query }) {
      const beyondSeq = decodeNumberCursor(query.cursor)
      const { sourceNo } = await expectSource(db, param('source'))
      const rows = await listChanges(db, sourceNo, {
        ...readSearch(query),
        ...(beyondSeq === undefined ? {} : { beyondSeq }),
        newestFirst: query.order === 'newest',
        limit: query.limit + 1,
      })
      return replyPage(rows, query.limit, {
        keyOf: ({ seq }) => String(seq),
        present: (row) => `${presentChange(row)}}`,
      })
    },
    async getChange({ param }) {
      const { sourceNo } = await expectSource(db, param('source'))
      const entry = await findChange(database, sourceNo, readSeq(param('seq')))
      if (!entry) throw createNotFound('change', param('seq'))
      const consumers = await listSourceConsumers(db, sourceNo)
      return replyFanOut(entry, await showChange(db, consumers, entry, findRecentAck))
    },
  }
}

/** What both lists can be searched by. */
function readSearch(query: {
  table?: string | undefined
  key?: string | undefined
  from?: string | undefined
}): {
  table?: string
  key?: string
  from?: Date
} {
  return {
    ...(query.table === undefined ? {} : { table: query.table }),
    ...(query.key === undefined ? {} : { key: readKey(query.key) }),
    ...(query.from === undefined ? {} : { from: new Date(query.from) }),
  }
}

function replyPage<T>(
  rows: readonly T[],
  limit: number,
  options: { keyOf: (row: T) => string; present: (row: T) => string },
): Reply {
  const page = makePage(rows, limit, options)
  const next = JSON.stringify(page.next_cursor)
  return { status: 200, body: `{"data":[${page.data.join(',')}],"next_cursor":${next}}` }
}

function replyFanOut(entry: LogEntry, places: Awaited<ReturnType<typeof showChange>>): Reply {
  const consumers = places.map((place) => ({
    consumer: place.consumer,
    ...presentPlace(place),
    delivered_at: place.deliveredAt,
    acked_at: place.ackedAt,
    updated_at: place.updatedAt,
  }))
  return {
    status: 200,
    body: `${presentChange(toListed(entry))},"consumers":${JSON.stringify(consumers)}}`,
  }
}

function readSeq(text: string): number {
  const seq = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(seq)) return seq
  throw new MillraceError('invalid_parameter', 'A seq is a whole number.', {
    errors: [{ pointer: '/seq', detail: 'must be a whole number' }],
  })
}
