import { randomBytes } from 'node:crypto'

import type { Hono } from 'hono'

import { createApp, type AppDeps } from '../../src/http/app.ts'
import type { DirectRoutes } from '../../src/http/direct-routes.ts'
import { createAddressGuard } from '../../src/push/address-guard.ts'
import type { QueueService } from '../../src/queue/queue-service.ts'
import { Queues } from '../../src/queue/queues.ts'
import type { Database } from '../../src/storage/database.ts'
import { test as base } from '../support/database.ts'
import { silentLogger } from '../support/given.ts'

export const ADMIN_TOKEN = 'admin-token-of-a-test'

export interface Answer {
  status: number
  headers: Headers
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers freely
  body: any
}

export interface Api {
  app: Hono
  direct: DirectRoutes
  queues: QueueService
  call: (
    method: string,
    path: string,
    body?: unknown,
    options?: { token?: string | null; headers?: Record<string, string> },
  ) => Promise<Answer>
}

/** An app on a storage, called without a socket. */
export function makeApi(
  database: Database,
  queues: QueueService,
  more: Partial<AppDeps> = {},
): Api {
  const { app, direct } = createApp({
    database,
    queues,
    secretKey: randomBytes(32),
    adminToken: ADMIN_TOKEN,
    pushGuard: createAddressGuard(['127.0.0.0/8']),
    logger: silentLogger,
    version: '1.2.3',
    roles: ['api'],
    isDraining: () => false,
    renderMetrics: () => 'millrace_build_info{version="1.2.3"} 1\n',
    ...more,
  })
  return {
    app,
    direct,
    queues,
    async call(method, path, body, options = {}) {
      const token = options.token === undefined ? ADMIN_TOKEN : options.token
      const response = await app.request(path, {
        method,
        headers: {
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...options.headers,
        },
        ...(body === undefined
          ? {}
          : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      })
      const text = await response.text()
      const isJson = response.headers.get('content-type')?.includes('json') ?? false
      return {
        status: response.status,
        headers: response.headers,
        body: isJson ? JSON.parse(text) : text,
      }
    },
  }
}

/** A test with an API on a storage of its own, served by real queues. */
export const test = base.extend<{ api: Api }>({
  api: async ({ storage }, use) => {
    const queues = new Queues({ database: storage, logger: silentLogger })
    await queues.start()
    await use(makeApi(storage, queues))
    await queues.stop()
  },
})
