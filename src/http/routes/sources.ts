import { z } from '@hono/zod-openapi'

import { createNotFound } from '../../errors.ts'
import { acceptGap } from '../../capture/accept-gap.ts'
import { checkExistingSource } from '../../capture/check-existing-source.ts'
import { checkSource } from '../../capture/check-source.ts'
import { createSource, withDefaults } from '../../capture/create-source.ts'
import { deleteSource } from '../../capture/delete-source.ts'
import { listSourceTables } from '../../capture/list-source-tables.ts'
import { getSourceHealth } from '../../capture/source-health.ts'
import type { SourceCheck } from '../../capture/source-check.ts'
import { expectSource, findSource, listSources, type Source } from '../../capture/source.ts'
import { updateSource } from '../../capture/update-source.ts'
import { isId, nameSchema } from '../../queue/consumer-settings.ts'
import type { Database } from '../../storage/database.ts'
import { decodeCursor, makePage } from '../page.ts'
import { presentHealth, presentSources } from '../present-source.ts'
import type { Reply } from '../problem.ts'
import { defineRoutes, EMPTY_REPLY, reply, type Handlers } from '../route.ts'
import { toSourceInput, toSourcePatch } from '../source-input.ts'
import { validateBody } from '../validate.ts'
import { checksResponse } from '../schemas/checks.ts'
import { pageQuery } from '../schemas/shared.ts'
import {
  gapSchema,
  sourceCreate,
  sourceHealthResponse,
  sourceList,
  sourcePatch,
  sourcePut,
  sourceSchema,
  sourceTablesResponse,
  sourceTest,
} from '../schemas/source.ts'

const one = '/v1/sources/{source}'
const tag = 'Sources'
const read = { scope: 'read', over: 'everything' } as const
const admin = { scope: 'admin', over: 'everything' } as const
const example = {
  url: 'postgres://millrace:secret@db.example.com:5432/shop',
  tables: ['public.orders'],
}

const deleteQuery = z.strictObject({
  drop_slot: z
    .enum(['true', 'false'])
    .default('true')
    .meta({ description: '`false`: leave the slot where it is; it holds WAL back until dropped.' }),
})

export const sourceDefinitions = defineRoutes({
  listSources: {
    method: 'get',
    path: '/v1/sources',
    tag,
    summary: 'List sources',
    access: read,
    query: pageQuery,
    answers: { 200: { description: 'A page of sources.', schema: sourceList } },
  },
  createSource: {
    method: 'post',
    path: '/v1/sources',
    tag,
    summary: 'Connect a database',
    description: 'Checks everything first; when a check fails nothing is created anywhere.',
    access: admin,
    body: { schema: sourceCreate, examples: { shop: { name: 'shop', ...example } } },
    answers: { 201: { description: 'Created.', schema: sourceSchema } },
    refusals: [409],
  },
  testSource: {
    method: 'post',
    path: '/v1/sources/test',
    tag,
    summary: 'Check whether a database can be connected',
    description: 'Each check by name, with the SQL that mends it. Changes nothing.',
    access: admin,
    body: { schema: sourceTest, examples: { shop: { name: 'shop', ...example } } },
    answers: { 200: { description: 'What was found.', schema: checksResponse } },
  },
  getSource: {
    method: 'get',
    path: one,
    tag,
    summary: 'Look at a source',
    access: read,
    answers: { 200: { description: 'The source.', schema: sourceSchema } },
  },
  putSource: {
    method: 'put',
    path: one,
    tag,
    summary: 'Connect a database, or change how it is reached',
    description: 'What is left out stays as it is.',
    access: admin,
    body: { schema: sourcePut, examples: { shop: example } },
    answers: {
      200: { description: 'Changed.', schema: sourceSchema },
      201: { description: 'Created.', schema: sourceSchema },
    },
    refusals: [409],
  },
  patchSource: {
    method: 'patch',
    path: one,
    tag,
    summary: 'Change some settings of a source',
    access: admin,
    body: { schema: sourcePatch, examples: { password: { password: 'another' } } },
    answers: { 200: { description: 'Changed.', schema: sourceSchema } },
    refusals: [409],
  },
  deleteSource: {
    method: 'delete',
    path: one,
    tag,
    summary: 'Delete a source, its log and its slot',
    description:
      'Refused while it has consumers. A publication that was made here goes with it; when the slot cannot be dropped everything stays.',
    access: admin,
    query: deleteQuery,
    answers: { 204: { description: 'Deleted.' } },
    refusals: [409, 422],
  },
  listSourceTables: {
    method: 'get',
    path: `${one}/tables`,
    tag,
    summary: 'List the tables of a source, and the types of their columns',
    access: read,
    answers: { 200: { description: 'The tables.', schema: sourceTablesResponse } },
    refusals: [422],
  },
  checkSource: {
    method: 'get',
    path: `${one}/checks`,
    tag,
    summary: 'Check whether a source is still as capturing needs it',
    description: 'Each check by name, with the SQL that mends it. Changes nothing.',
    access: read,
    answers: { 200: { description: 'What was found.', schema: checksResponse } },
  },
  getSourceHealth: {
    method: 'get',
    path: `${one}/health`,
    tag,
    summary: 'How capturing from a source goes',
    access: read,
    answers: { 200: { description: 'Reader and slot.', schema: sourceHealthResponse } },
  },
  acceptSourceGap: {
    method: 'post',
    path: `${one}/accept-gap`,
    tag,
    summary: 'Go on behind changes that are lost',
    description:
      'For a source that needs attention because changes between its log and its slot can no longer be read. Capturing goes on from the slot; what was missed stays on record in its health. Backfill its tables afterwards.',
    access: admin,
    answers: { 200: { description: 'What was missed.', schema: gapSchema } },
    refusals: [409, 422],
  },
})

export function createSourceHandlers(
  database: Database,
  secretKey: Buffer | undefined,
): Handlers<typeof sourceDefinitions> {
  const { db } = database
  const keys = { secretKey }
  const answer = async (status: number, source: Source): Promise<Reply> => {
    const [shown] = await presentSources(db, [source])
    return reply(status, shown)
  }
  return {
    async listSources({ query }) {
      const rows = await listSources(db, {
        limit: query.limit + 1,
        after: decodeCursor(query.cursor) ?? '',
      })
      const { data, next_cursor } = makePage(rows, query.limit, {
        keyOf: ({ name }) => name,
        present: (source) => source,
      })
      return reply(200, { data: await presentSources(db, data), next_cursor })
    },
    async createSource({ body: { name, ...body } }) {
      return answer(201, await createSource(database, toSourceInput(name, body), keys))
    },
    async testSource({ body: { name, ...body } }) {
      const input = withDefaults(toSourceInput(name ?? 'new', body))
      const checks = await checkSource(input.connection, input)
      return reply(200, { ok: isPassed(checks), checks })
    },
    async getSource({ param }) {
      return answer(200, await expectSource(db, param('source')))
    },
    async putSource({ param, body }) {
      const reference = param('source')
      const before = await findSource(db, reference)
      if (before) {
        const patch = toSourcePatch(before, body)
        return answer(200, await updateSource(database, before.id, patch, keys))
      }
      if (isId(reference)) throw createNotFound('source', reference)
      const { name } = validateBody(z.object({ name: nameSchema }), { name: reference })
      return answer(201, await createSource(database, toSourceInput(name, body), keys))
    },
    async patchSource({ param, body }) {
      const before = await expectSource(db, param('source'))
      const patch = toSourcePatch(before, body)
      return answer(200, await updateSource(database, before.id, patch, keys))
    },
    async deleteSource({ param, query }) {
      await deleteSource(database, param('source'), {
        secretKey,
        dropSlot: query.drop_slot === 'true',
      })
      return EMPTY_REPLY
    },
    async listSourceTables({ param }) {
      const { tables, types } = await listSourceTables(database, param('source'), keys)
      const data = tables.map(({ replicaIdentity, primaryKey, estimatedRows, ...table }) => ({
        ...table,
        replica_identity: replicaIdentity,
        primary_key: primaryKey,
        estimated_rows: estimatedRows,
      }))
      return reply(200, { data, types })
    },
    async checkSource({ param }) {
      const checks = await checkExistingSource(database, param('source'), keys)
      return reply(200, { ok: isPassed(checks), checks })
    },
    async acceptSourceGap({ param }) {
      return reply(200, await acceptGap(database, param('source'), keys))
    },
    async getSourceHealth({ param }) {
      return reply(200, presentHealth(await getSourceHealth(database, param('source'), keys)))
    },
  }
}

function isPassed(checks: readonly SourceCheck[]): boolean {
  return checks.every(({ status }) => status !== 'fail')
}
