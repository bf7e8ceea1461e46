import { createNotFound, MillraceError } from '../../errors.ts'
import {
  createConsumer,
  deleteConsumer,
  findStoredConsumer,
  listConsumers,
  patchConsumer,
  pauseConsumer,
  putConsumer,
  resumeConsumer,
  type StoredConsumer,
} from '../../queue/consumer-store.ts'
import type { QueueService } from '../../queue/queue-service.ts'
import type { Db } from '../../storage/database.ts'
import { expectConsumer } from '../expect-consumer.ts'
import { decodeCursor, makePage } from '../page.ts'
import { presentConsumer } from '../present-consumer.ts'
import { PushKeeper } from '../push-keeper.ts'
import { defineRoutes, EMPTY_REPLY, reply, type Handlers } from '../route.ts'
import {
  consumerCreate,
  consumerList,
  consumerPatch,
  consumerPut,
  consumerSchema,
  consumerStats,
  createdConsumerSchema,
  pauseRequest,
} from '../schemas/consumer.ts'
import { pageQuery } from '../schemas/shared.ts'

const one = '/v1/consumers/{consumer}'
const tag = 'Consumers'
const read = { scope: 'read', over: 'consumer' } as const
const manage = { scope: 'manage', over: 'consumer' } as const
const admin = { scope: 'admin', over: 'consumer' } as const
const example = { source: 'shop', tables: ['public.orders'], actions: ['insert'] }

export const consumerDefinitions = defineRoutes({
  listConsumers: {
    method: 'get',
    path: '/v1/consumers',
    tag,
    summary: 'List consumers',
    description: 'By name; those that the token is bound to.',
    access: { scope: 'read', over: 'consumers' },
    query: pageQuery,
    answers: { 200: { description: 'A page of consumers.', schema: consumerList } },
  },
  createConsumer: {
    method: 'post',
    path: '/v1/consumers',
    tag,
    summary: 'Create a consumer',
    access: { scope: 'admin', over: 'consumers' },
    body: { schema: consumerCreate, examples: { inventory: { name: 'inventory', ...example } } },
    answers: { 201: { description: 'Created.', schema: createdConsumerSchema } },
    refusals: [409],
  },
  getConsumer: {
    method: 'get',
    path: one,
    tag,
    summary: 'Look at a consumer',
    access: read,
    answers: { 200: { description: 'The consumer.', schema: consumerSchema } },
  },
  putConsumer: {
    method: 'put',
    path: one,
    tag,
    summary: 'Create a consumer, or give it exactly these settings',
    description:
      'What is left out goes back to its default, except what is fixed at creation (`kind`, `start_from`) and the webhook’s write-only headers.',
    access: admin,
    body: { schema: consumerPut, examples: { inventory: example } },
    answers: {
      200: { description: 'Changed.', schema: consumerSchema },
      201: { description: 'Created.', schema: createdConsumerSchema },
    },
    refusals: [409],
  },
  patchConsumer: {
    method: 'patch',
    path: one,
    tag,
    summary: 'Change some settings',
    access: admin,
    body: { schema: consumerPatch, examples: { slower: { visibility_timeout_ms: 120_000 } } },
    answers: {
      200: {
        description: 'Changed. With `push_secret` when the change made one.',
        schema: createdConsumerSchema,
      },
    },
    refusals: [409],
  },
  deleteConsumer: {
    method: 'delete',
    path: one,
    tag,
    summary: 'Delete a consumer and its queue',
    description: 'The log stays; other consumers do not notice.',
    access: admin,
    answers: { 204: { description: 'Deleted.' } },
  },
  getConsumerStats: {
    method: 'get',
    path: `${one}/stats`,
    tag,
    summary: 'How many messages are in which state',
    access: read,
    answers: { 200: { description: 'The counts.', schema: consumerStats } },
  },
  pauseConsumer: {
    method: 'post',
    path: `${one}/pause`,
    tag,
    summary: 'Stop deliveries for a while',
    description: 'Receives wait, then answer nothing; acks go on.',
    access: manage,
    body: {
      schema: pauseRequest,
      isOptional: true,
      examples: { maintenance: { until: '2026-01-31T12:00:00Z', reason: 'maintenance' } },
    },
    answers: { 200: { description: 'Paused.', schema: consumerSchema } },
  },
  resumeConsumer: {
    method: 'post',
    path: `${one}/resume`,
    tag,
    summary: 'Deliver again',
    access: manage,
    answers: { 200: { description: 'Resumed.', schema: consumerSchema } },
  },
})

interface ConsumerDeps {
  db: Db
  queues: QueueService
  secretKey: Buffer | undefined
}

export function createConsumerHandlers(deps: ConsumerDeps): Handlers<typeof consumerDefinitions> {
  const { db, queues, secretKey } = deps
  const found = (consumer: StoredConsumer | undefined, reference: string): StoredConsumer => {
    if (!consumer) throw createNotFound('consumer', reference)
    return consumer
  }
  return {
    async listConsumers({ principal, query }) {
      const after = decodeCursor(query.cursor)
      const rows = await listConsumers(db, {
        limit: query.limit + 1,
        ...(after === undefined ? {} : { after }),
        ...(principal?.consumers ? { names: [...principal.consumers] } : {}),
      })
      const keyOf = ({ name }: StoredConsumer): string => name
      return reply(200, makePage(rows, query.limit, { keyOf, present: presentConsumer }))
    },
    async createConsumer({ principal, body: { name, ...settings } }) {
      if (principal?.consumers && !principal.consumers.has(name)) {
        throw new MillraceError(
          'insufficient_scope',
          `The token is bound to some consumers, and "${name}" is none of them.`,
        )
      }
      const keeper = new PushKeeper(secretKey)
      const consumer = await createConsumer(db, name, settings, keeper)
      return reply(201, { ...presentConsumer(consumer), ...keeper.presentSecret() })
    },
    async getConsumer({ param }) {
      const reference = param('consumer')
      return reply(200, presentConsumer(found(await findStoredConsumer(db, reference), reference)))
    },
    async putConsumer({ param, body }) {
      const keeper = new PushKeeper(secretKey)
      const reference = param('consumer')
      const put = await putConsumer(db, reference, body, keeper)
      const consumer = presentConsumer(found(put?.consumer, reference))
      return reply(put?.isNew ? 201 : 200, { ...consumer, ...keeper.presentSecret() })
    },
    async patchConsumer({ param, body }) {
      const keeper = new PushKeeper(secretKey)
      const reference = param('consumer')
      const consumer = found(await patchConsumer(db, reference, body, keeper), reference)
      return reply(200, { ...presentConsumer(consumer), ...keeper.presentSecret() })
    },
    async deleteConsumer({ param }) {
      const reference = param('consumer')
      if (!(await deleteConsumer(db, reference))) throw createNotFound('consumer', reference)
      return EMPTY_REPLY
    },
    async getConsumerStats({ param }) {
      const consumer = await expectConsumer(queues, param('consumer'))
      const { oldestUnackedAgeMs, ...stats } = await queues.getStats(consumer)
      return reply(200, { ...stats, oldest_unacked_age_ms: oldestUnackedAgeMs })
    },
    async pauseConsumer({ param, body }) {
      const reference = param('consumer')
      const until = body.until === undefined ? undefined : new Date(body.until)
      const paused = await pauseConsumer(db, reference, { until, reason: body.reason })
      return reply(200, presentConsumer(found(paused, reference)))
    },
    async resumeConsumer({ param }) {
      const reference = param('consumer')
      return reply(200, presentConsumer(found(await resumeConsumer(db, reference), reference)))
    },
  }
}
