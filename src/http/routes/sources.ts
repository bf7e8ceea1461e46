import { z } from '@hono/zod-openapi'

import { defineRoutes } from '../route.ts'
import { pageQuery } from '../schemas/shared.ts'
import {
  sourceCreate,
  sourceHealthResponse,
  sourceList,
  sourcePatch,
  sourcePut,
  sourceSchema,
  sourceTablesResponse,
  sourceTestResponse,
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
    body: { schema: sourceCreate, examples: { shop: { name: 'shop', ...example } } },
    answers: { 200: { description: 'What was found.', schema: sourceTestResponse } },
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
    description: 'A password that is left out stays as it is.',
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
    description: 'Refused while it has consumers.',
    access: admin,
    query: deleteQuery,
    answers: { 204: { description: 'Deleted.' } },
    refusals: [409],
  },
  listSourceTables: {
    method: 'get',
    path: `${one}/tables`,
    tag,
    summary: 'List the tables of a source',
    access: read,
    answers: { 200: { description: 'The tables.', schema: sourceTablesResponse } },
    refusals: [422],
  },
  getSourceHealth: {
    method: 'get',
    path: `${one}/health`,
    tag,
    summary: 'How capturing from a source goes',
    access: read,
    answers: { 200: { description: 'Reader and slot.', schema: sourceHealthResponse } },
  },
})
