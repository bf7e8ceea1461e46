import { z } from '@hono/zod-openapi'

import { checkStorage } from '../../storage/check-storage.ts'
import type { Database } from '../../storage/database.ts'
import { defineRoutes, reply, type Handlers } from '../route.ts'
import { checksResponse } from '../schemas/checks.ts'

const tag = 'Operations'
const READY_TIMEOUT_MS = 2000

const liveSchema = z
  .object({
    status: z.literal('ok'),
    version: z.string(),
    roles: z.array(z.string()).meta({ description: 'What this process does.' }),
  })
  .openapi('Liveness')

const readySchema = z
  .object({
    status: z.enum(['ok', 'unavailable']),
    checks: z.object({
      storage: z
        .enum(['ok', 'unreachable', 'not_migrated'])
        .meta({ description: 'The storage database and its migrations.' }),
      draining: z.boolean().meta({ description: 'Whether this process is about to stop.' }),
    }),
  })
  .openapi('Readiness')

export const operationDefinitions = defineRoutes({
  getLiveness: {
    method: 'get',
    path: '/livez',
    tag,
    summary: 'Whether the process runs',
    access: 'public',
    answers: { 200: { description: 'It does.', schema: liveSchema } },
  },
  getReadiness: {
    method: 'get',
    path: '/readyz',
    tag,
    summary: 'Whether the process can serve',
    description: 'A sick source or consumer does not make it unready.',
    access: 'public',
    answers: {
      200: { description: 'It can.', schema: readySchema },
      503: { description: 'It cannot at the moment.', schema: readySchema },
    },
  },
  checkStorage: {
    method: 'get',
    path: '/v1/storage/checks',
    tag,
    summary: 'Check the storage',
    description: 'Each check by name, with the SQL that mends it. Changes nothing.',
    access: { scope: 'read', over: 'everything' },
    answers: { 200: { description: 'What was found.', schema: checksResponse } },
  },
  getMetrics: {
    method: 'get',
    path: '/metrics',
    tag,
    summary: 'Metrics for Prometheus',
    access: { scope: 'read', over: 'everything' },
    answers: { 200: { description: 'Metrics.', contentType: 'text/plain' } },
  },
  getOpenApi: {
    method: 'get',
    path: '/openapi.yaml',
    tag,
    summary: 'This document',
    access: 'public',
    answers: { 200: { description: 'OpenAPI 3.1.', contentType: 'application/yaml' } },
  },
})

export interface OperationDeps {
  database: Database
  secretKey: Buffer | undefined
  version: string
  roles: readonly string[]
  isDraining: () => boolean
  /** In Prometheus' text format. */
  renderMetrics: () => Promise<string> | string
  /** Asked for once, when first needed. */
  createOpenApiYaml: () => string
}

export function createOperationHandlers(
  deps: OperationDeps,
): Handlers<typeof operationDefinitions> {
  let document: string | undefined
  return {
    getLiveness: () => reply(200, { status: 'ok', version: deps.version, roles: deps.roles }),
    async getReadiness() {
      const storage = await probeStorage(deps.database)
      const draining = deps.isDraining()
      const isReady = storage === 'ok' && !draining
      const answer = reply(isReady ? 200 : 503, {
        status: isReady ? 'ok' : 'unavailable',
        checks: { storage, draining },
      })
      return isReady ? answer : { ...answer, headers: { 'retry-after': '1' } }
    },
    async checkStorage() {
      const checks = await checkStorage(deps.database, deps.secretKey !== undefined)
      return reply(200, { ok: checks.every(({ status }) => status !== 'fail'), checks })
    },
    async getMetrics() {
      return {
        status: 200,
        body: await deps.renderMetrics(),
        contentType: 'text/plain; version=0.0.4; charset=utf-8',
      }
    },
    getOpenApi() {
      document ??= deps.createOpenApiYaml()
      return { status: 200, body: document, contentType: 'application/yaml; charset=utf-8' }
    },
  }
}

/** A storage that takes its time counts as away: a probe must answer. */
async function probeStorage({ pool }: Database): Promise<'ok' | 'unreachable' | 'not_migrated'> {
  const check = pool
    .query<{ is_migrated: boolean }>(
      "select to_regclass('millrace.consumer') is not null as is_migrated",
    )
    .then(({ rows }) => (rows[0]?.is_migrated ? 'ok' : 'not_migrated'))
    .catch(() => 'unreachable' as const)
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<'unreachable'>((resolve) => {
    timer = setTimeout(() => resolve('unreachable'), READY_TIMEOUT_MS)
  })
  try {
    return await Promise.race([check, timeout])
  } finally {
    clearTimeout(timer)
  }
}
