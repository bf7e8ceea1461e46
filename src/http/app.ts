import { Hono } from 'hono'

import { MillraceError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { AddressGuard } from '../push/address-guard.ts'
import type { QueueService } from '../queue/queue-service.ts'
import type { Database } from '../storage/database.ts'
import { createUserAgent } from '../push/user-agent.ts'
import { Authority } from './auth.ts'
import { allDefinitions } from './all-definitions.ts'
import { mountConsole } from './console.ts'
import { DirectRoutes } from './direct-routes.ts'
import { createDocsPages, mountPages } from './docs-pages.ts'
import { createRequestId, listRoutes, mountRoutes, toResponse } from './mount.ts'
import { createOpenApiYaml } from './openapi-document.ts'
import { readOverview } from './overview.ts'
import { OverviewStream } from './overview-stream.ts'
import { createProblem } from './problem.ts'
import { backfillDefinitions, createBackfillHandlers } from './routes/backfills.ts'
import { configurationDefinitions, createConfigurationHandlers } from './routes/configuration.ts'
import { consumerDefinitions, createConsumerHandlers } from './routes/consumers.ts'
import { createEventHandlers, eventDefinitions } from './routes/events.ts'
import { createMessageHandlers, messageDefinitions } from './routes/messages.ts'
import { createMovementHandlers, movementDefinitions } from './routes/movements.ts'
import { createOperationHandlers, operationDefinitions } from './routes/operations.ts'
import { createPreviewHandlers, previewDefinitions } from './routes/preview.ts'
import { createProcessHandlers, processDefinitions } from './routes/processes.ts'
import { createPushHandlers, pushDefinitions } from './routes/push.ts'
import { createQueueHandlers, queueDefinitions } from './routes/queue.ts'
import { createSequinHandlers, sequinDefinitions } from './routes/sequin.ts'
import { createSessionHandlers, sessionDefinitions } from './routes/session.ts'
import { createSourceHandlers, sourceDefinitions } from './routes/sources.ts'
import { createTokenHandlers, tokenDefinitions } from './routes/tokens.ts'
import { Sessions } from './sessions.ts'

export interface AppDeps {
  database: Database
  queues: QueueService
  /** Encrypts source passwords and push secrets; without it both are refused. */
  secretKey: Buffer | undefined
  adminToken: string | undefined
  /** Where a test of a webhook may be sent. */
  pushGuard: AddressGuard
  logger: Logger
  version: string
  roles: readonly string[]
  /** Whether the process is about to stop: it is no longer ready. */
  isDraining: () => boolean
  /** In Prometheus' text format. */
  renderMetrics: () => Promise<string> | string
  /** Told of every answer, with the time since the request's head was read. */
  observe?: (operationId: string, status: number, durationMs: number) => void
}

export interface App {
  /** Serves every request. */
  app: Hono
  /** Serves those of the queue, at less cost. */
  direct: DirectRoutes
}

/** The HTTP API: everything but the socket. */
export function createApp(deps: AppDeps): App {
  const { database, queues, logger } = deps
  const app = new Hono()
  const authority = new Authority({
    db: database.db,
    adminToken: deps.adminToken,
    findConsumerName: async (id) => (await queues.findConsumer(id))?.name,
  })
  const sessions = new Sessions(deps.secretKey)
  const options = {
    authority,
    sessions,
    logger,
    ...(deps.observe ? { observe: deps.observe } : {}),
  }
  const { db } = database
  const { secretKey, pushGuard } = deps
  const userAgent = createUserAgent(deps.version)
  const yaml = (): string => createOpenApiYaml(allDefinitions)
  const operations = createOperationHandlers({ ...deps, createOpenApiYaml: yaml })

  const { isDraining } = deps
  const overview = new OverviewStream({ read: () => readOverview(db, queues), logger, isDraining })

  const queueHandlers = createQueueHandlers(queues)
  const direct = new DirectRoutes(listRoutes(queueDefinitions, queueHandlers), options)
  mountRoutes(app, queueDefinitions, queueHandlers, options)
  mountRoutes(app, consumerDefinitions, createConsumerHandlers({ db, queues, secretKey }), options)
  const pushHandlers = createPushHandlers({ db, secretKey, pushGuard, userAgent })
  mountRoutes(app, pushDefinitions, pushHandlers, options)
  mountRoutes(app, movementDefinitions, createMovementHandlers({ db, queues }), options)
  const backfillHandlers = createBackfillHandlers({ database, queues, secretKey })
  mountRoutes(app, backfillDefinitions, backfillHandlers, options)
  mountRoutes(app, messageDefinitions, createMessageHandlers({ database, queues }), options)
  mountRoutes(app, previewDefinitions, createPreviewHandlers(database), options)
  mountRoutes(app, sourceDefinitions, createSourceHandlers(database, secretKey), options)
  mountRoutes(app, tokenDefinitions, createTokenHandlers(db), options)
  const configurationHandlers = createConfigurationHandlers(database, secretKey)
  mountRoutes(app, configurationDefinitions, configurationHandlers, options)
  mountRoutes(app, operationDefinitions, operations, options)
  mountRoutes(app, processDefinitions, createProcessHandlers(db), options)
  mountRoutes(app, sequinDefinitions, createSequinHandlers(queues), options)
  mountRoutes(app, sessionDefinitions, createSessionHandlers(authority, sessions), options)
  mountRoutes(app, eventDefinitions, createEventHandlers(overview), options)
  mountPages(app, createDocsPages())
  mountConsole(app)

  app.notFound((c) => {
    const requestId = createRequestId()
    const problem = createProblem(refuseUnknown(app, c.req.method, c.req.path), requestId)
    const allow = listMethods(app, c.req.path).join(', ')
    const headers = problem.status === 405 ? { ...problem.headers, allow } : problem.headers
    return toResponse({ ...problem, ...(headers ? { headers } : {}) }, requestId)
  })
  app.onError((error) => {
    const requestId = createRequestId()
    logger.error('a request failed outside of its route', { request_id: requestId, error })
    return toResponse(createProblem(error, requestId), requestId)
  })
  return { app, direct }
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

function refuseUnknown(app: Hono, method: string, path: string): MillraceError {
  const methods = listMethods(app, path)
  const shown = path.slice(0, 200)
  return methods.length === 0
    ? new MillraceError('not_found', `There is nothing at ${shown}. The calls are listed at /docs.`)
    : new MillraceError(
        'method_not_allowed',
        `${shown} takes ${methods.join(', ')}, not ${method}.`,
      )
}

/** The methods that the path does take. */
function listMethods(app: Hono, path: string): string[] {
  return METHODS.filter((method) => app.router.match(method, path)[0].length > 0)
}
