import { expectSource } from '../../capture/source.ts'
import {
  cancelBackfill,
  findBackfill,
  listBackfills,
  pauseBackfill,
  resumeBackfill,
  type BackfillOwner,
} from '../../backfill/backfill-store.ts'
import type { Backfill } from '../../backfill/backfill.ts'
import { requestBackfill } from '../../backfill/request-backfill.ts'
import { createNotFound, MillraceError } from '../../errors.ts'
import { isId } from '../../queue/consumer-settings.ts'
import type { QueueService } from '../../queue/queue-service.ts'
import type { Database } from '../../storage/database.ts'
import { type Principal } from '../auth.ts'
import { expectConsumer } from '../expect-consumer.ts'
import { decodeNumberCursor, makePage } from '../page.ts'
import { presentBackfills } from '../present-backfill.ts'
import type { Reply } from '../problem.ts'
import { defineRoutes, reply, type Handlers } from '../route.ts'
import {
  backfillList,
  backfillSchema,
  consumerBackfillRequest,
  sourceBackfillRequest,
  startedBackfills,
} from '../schemas/backfill.ts'
import { pageQuery } from '../schemas/shared.ts'

const tag = 'Backfills'
const ofConsumer = '/v1/consumers/{consumer}/backfills'
const ofSource = '/v1/sources/{source}/backfills'
const manageConsumer = { scope: 'manage', over: 'consumer' } as const
const manageAll = { scope: 'manage', over: 'everything' } as const
const readConsumer = { scope: 'read', over: 'consumer' } as const
const readAll = { scope: 'read', over: 'everything' } as const
const one = { 200: { description: 'The backfill.', schema: backfillSchema } } as const
const list = { 200: { description: 'A page, the newest first.', schema: backfillList } } as const
const started = { 201: { description: 'Asked for.', schema: startedBackfills } } as const

const moves = {
  pause: {
    summary: 'Pause a backfill',
    description: 'The page that is being read still comes.',
  },
  resume: {
    summary: 'Go on with a backfill',
    description: 'Behind the last row that was read; also after a failure.',
  },
  cancel: {
    summary: 'End a backfill for good',
    description: 'What was read stays in the log.',
  },
} as const

export const backfillDefinitions = defineRoutes({
  startConsumerBackfill: {
    method: 'post',
    path: ofConsumer,
    tag,
    summary: 'Read the rows that exist, for one consumer',
    description:
      'They come as messages with the action `read`, in order with the changes of the same row. A token with `where` needs the scope `admin`.',
    access: manageConsumer,
    body: {
      schema: consumerBackfillRequest,
      isOptional: true,
      examples: { all: {}, some: { table: 'public.orders', from_key: [42] } },
    },
    answers: started,
    refusals: [409],
  },
  listConsumerBackfills: {
    method: 'get',
    path: ofConsumer,
    tag,
    summary: 'List the backfills for a consumer',
    access: readConsumer,
    query: pageQuery,
    answers: list,
  },
  getConsumerBackfill: {
    method: 'get',
    path: `${ofConsumer}/{id}`,
    tag,
    summary: 'How far a backfill is',
    access: readConsumer,
    answers: one,
  },
  pauseConsumerBackfill: {
    method: 'post',
    path: `${ofConsumer}/{id}/pause`,
    tag,
    ...moves.pause,
    access: manageConsumer,
    answers: one,
    refusals: [409],
  },
  resumeConsumerBackfill: {
    method: 'post',
    path: `${ofConsumer}/{id}/resume`,
    tag,
    ...moves.resume,
    access: manageConsumer,
    answers: one,
    refusals: [409],
  },
  cancelConsumerBackfill: {
    method: 'post',
    path: `${ofConsumer}/{id}/cancel`,
    tag,
    ...moves.cancel,
    access: manageConsumer,
    answers: one,
    refusals: [409],
  },
  startSourceBackfill: {
    method: 'post',
    path: ofSource,
    tag,
    summary: 'Read the rows that exist, for every consumer of the table',
    description: 'A token with `where` needs the scope `admin`.',
    access: manageAll,
    body: { schema: sourceBackfillRequest, examples: { orders: { table: 'public.orders' } } },
    answers: started,
    refusals: [409],
  },
  listSourceBackfills: {
    method: 'get',
    path: ofSource,
    tag,
    summary: 'List the backfills of a source, for whomever they are',
    access: readAll,
    query: pageQuery,
    answers: list,
  },
  getSourceBackfill: {
    method: 'get',
    path: `${ofSource}/{id}`,
    tag,
    summary: 'How far a backfill is',
    access: readAll,
    answers: one,
  },
  pauseSourceBackfill: {
    method: 'post',
    path: `${ofSource}/{id}/pause`,
    tag,
    ...moves.pause,
    access: manageAll,
    answers: one,
    refusals: [409],
  },
  resumeSourceBackfill: {
    method: 'post',
    path: `${ofSource}/{id}/resume`,
    tag,
    ...moves.resume,
    access: manageAll,
    answers: one,
    refusals: [409],
  },
  cancelSourceBackfill: {
    method: 'post',
    path: `${ofSource}/{id}/cancel`,
    tag,
    ...moves.cancel,
    access: manageAll,
    answers: one,
    refusals: [409],
  },
})

interface BackfillDeps {
  database: Database
  queues: QueueService
  secretKey: Buffer | undefined
}

type Param = (name: string) => string

export function createBackfillHandlers(deps: BackfillDeps): Handlers<typeof backfillDefinitions> {
  const { database, queues, secretKey } = deps
  const { db } = database
  const consumerOf = async (param: Param): Promise<BackfillOwner> => ({
    consumerNo: (await expectConsumer(queues, param('consumer'))).consumerNo,
  })
  const sourceOf = async (param: Param): Promise<BackfillOwner> => ({
    sourceNo: (await expectSource(db, param('source'))).sourceNo,
  })
  const find = async (owner: BackfillOwner, id: string): Promise<Backfill> => {
    const backfill = isId(id) ? await findBackfill(db, owner, id) : undefined
    if (!backfill) throw createNotFound('backfill', id)
    return backfill
  }
  /** Shows the backfill that the path names, after a step. */
  const after =
    (
      ownerOf: (param: Param) => Promise<BackfillOwner>,
      step: (backfill: Backfill) => Backfill | Promise<Backfill>,
    ) =>
    async ({ param }: { param: Param }): Promise<Reply> => {
      const backfill = await step(await find(await ownerOf(param), param('id')))
      return reply(200, (await presentBackfills(db, [backfill]))[0])
    }
  const pause = (backfill: Backfill): Promise<Backfill> => pauseBackfill(db, backfill)
  const resume = (backfill: Backfill): Promise<Backfill> => resumeBackfill(db, backfill)
  const cancel = (backfill: Backfill): Promise<Backfill> => cancelBackfill(db, backfill)
  const showPage = async (
    owner: BackfillOwner,
    { limit, cursor }: { limit: number; cursor?: string | undefined },
  ): Promise<Reply> => {
    const before = decodeNumberCursor(cursor)
    const rows = await listBackfills(db, owner, {
      limit: limit + 1,
      ...(before === undefined ? {} : { before }),
    })
    const { data, next_cursor } = makePage(rows, limit, {
      keyOf: ({ backfillNo }) => String(backfillNo),
      present: (backfill) => backfill,
    })
    return reply(200, { data: await presentBackfills(db, data), next_cursor })
  }
  const start = async (request: Parameters<typeof requestBackfill>[2]): Promise<Reply> => {
    const backfills = await requestBackfill(database, secretKey, request)
    return reply(201, { data: await presentBackfills(db, backfills) })
  }
  return {
    async startConsumerBackfill({ param, principal, body }) {
      checkPredicateScope(principal, body.where)
      const consumer = await expectConsumer(queues, param('consumer'))
      const { table = null, where: predicate = null, from_key: fromKey = null } = body
      return start({ sourceNo: consumer.sourceNo, consumer, table, predicate, fromKey })
    },
    async startSourceBackfill({ param, principal, body }) {
      checkPredicateScope(principal, body.where)
      const { sourceNo } = await expectSource(db, param('source'))
      const { table, where: predicate = null, from_key: fromKey = null } = body
      return start({ sourceNo, consumer: null, table, predicate, fromKey })
    },
    listConsumerBackfills: async ({ param, query }) => showPage(await consumerOf(param), query),
    listSourceBackfills: async ({ param, query }) => showPage(await sourceOf(param), query),
    getConsumerBackfill: after(consumerOf, (backfill) => backfill),
    getSourceBackfill: after(sourceOf, (backfill) => backfill),
    pauseConsumerBackfill: after(consumerOf, pause),
    pauseSourceBackfill: after(sourceOf, pause),
    resumeConsumerBackfill: after(consumerOf, resume),
    resumeSourceBackfill: after(sourceOf, resume),
    cancelConsumerBackfill: after(consumerOf, cancel),
    cancelSourceBackfill: after(sourceOf, cancel),
  }
}

/** A predicate is SQL that runs on the source. */
function checkPredicateScope(principal: Principal | undefined, where: string | undefined): void {
  if (where === undefined || principal?.scopes.has('admin')) return
  throw new MillraceError(
    'insufficient_scope',
    'A backfill with `where` runs SQL on the source, and needs a token with the scope "admin".',
  )
}
