import { randomUUID } from 'node:crypto'

import type { z } from '@hono/zod-openapi'
import type { Hono } from 'hono'

import { createNotFound, MillraceError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { type Authority, type Principal } from './auth.ts'
import { HonoExchange, type Exchange } from './exchange.ts'
import { createProblem, refineError, type Reply } from './problem.ts'
import { readJsonBody } from './read-body.ts'
import type { Sessions } from './sessions.ts'
import {
  bodyLimitOf,
  type Call,
  type Handlers,
  type RouteDefinition,
  type RouteDefinitions,
} from './route.ts'
import { validateBody, validateQuery } from './validate.ts'

export interface MountOptions {
  authority: Authority
  /** Where given, the console's cookie stands for a token. */
  sessions?: Sessions
  logger: Logger
  /** Told of every answer, with the time since the request's head was read. */
  observe?: (operationId: string, status: number, durationMs: number) => void
}

type AnyCall = Call<RouteDefinition>

/** A route as it is served, whichever way a request takes. */
export interface MountedRoute {
  operationId: string
  definition: RouteDefinition
  handle: (call: AnyCall) => Promise<Reply> | Reply
}

/** Routes with their handlers. */
export function listRoutes<D extends RouteDefinitions>(
  definitions: D,
  handlers: Handlers<D>,
): MountedRoute[] {
  return Object.entries(definitions).map(([operationId, definition]) => ({
    operationId,
    definition,
    handle: handlers[operationId] as unknown as MountedRoute['handle'],
  }))
}

/** Puts routes on the app. There is no middleware: one function per request does all. */
export function mountRoutes<D extends RouteDefinitions>(
  app: Hono,
  definitions: D,
  handlers: Handlers<D>,
  options: MountOptions,
): void {
  for (const route of listRoutes(definitions, handlers)) {
    const path = route.definition.path.replaceAll(/\{(\w+)\}/g, ':$1')
    app.on(route.definition.method.toUpperCase(), path, async (c) => {
      const requestId = createRequestId()
      return toResponse(await answerCall(route, new HonoExchange(c), requestId, options), requestId)
    })
  }
}

/** Does one call, from its checks to its answer; refusals and faults are answers, too. */
export async function answerCall(
  { operationId, definition, handle }: MountedRoute,
  exchange: Exchange,
  requestId: string,
  options: MountOptions,
): Promise<Reply> {
  const startedAt = performance.now()
  let answer: Reply
  try {
    answer = await handle(await admitCall(exchange, requestId, definition, options))
  } catch (error) {
    answer = createProblem(error, requestId)
    logRefusal(error, { requestId, operationId, logger: options.logger })
  }
  options.observe?.(operationId, answer.status, performance.now() - startedAt)
  return answer
}

/** Checks in this order: token, scope, query, body. Nothing is read of a stranger's body. */
async function admitCall(
  exchange: Exchange,
  requestId: string,
  definition: RouteDefinition,
  { authority, sessions }: MountOptions,
): Promise<AnyCall> {
  const { params } = exchange
  let principal: Principal | undefined
  if (definition.access !== 'public') {
    principal = await authority.authorize(
      definition.access,
      sessions ? sessions.readAuthorization(exchange) : exchange.header('authorization'),
      params['consumer'],
    )
  }
  refuseOddReferences(params)
  const query = definition.query ? validateQuery(definition.query, exchange.query) : undefined
  const body = definition.body
    ? await readBody(exchange, definition, definition.body.schema)
    : undefined
  return {
    exchange,
    requestId,
    principal,
    param: (name) => params[name] ?? '',
    query: query as AnyCall['query'],
    body: body as AnyCall['body'],
  }
}

/** No id and no name looks like that, and Postgres takes no NUL even in a comparison. */
function refuseOddReferences(params: Readonly<Record<string, string>>): void {
  for (const kind in params) {
    const reference = params[kind]!
    if (!/^[\w-]{1,100}$/.test(reference)) throw createNotFound(kind, reference)
  }
}

async function readBody(
  exchange: Exchange,
  definition: RouteDefinition,
  schema: z.ZodType,
): Promise<unknown> {
  const value = await readJsonBody(exchange, bodyLimitOf(definition))
  if (value === undefined && !definition.body?.isOptional) {
    throw new MillraceError('malformed_json', 'The body is empty; this call takes JSON.')
  }
  return validateBody(schema, value ?? {})
}

export function createRequestId(): string {
  return `req_${randomUUID()}`
}

/** A plain object: it is written as it is, without a Headers in between. */
export function headersOf(answer: Reply, requestId: string): Record<string, string> {
  const headers: Record<string, string> = {
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-request-id': requestId,
    ...answer.headers,
  }
  if (answer.body !== null) headers['content-type'] = answer.contentType ?? 'application/json'
  return headers
}

export function toResponse(answer: Reply, requestId: string): Response {
  return new Response(answer.body, {
    status: answer.status,
    headers: headersOf(answer, requestId),
  })
}

/** A refusal is the client's business; a bug is ours, and is logged whole. */
function logRefusal(
  error: unknown,
  context: { requestId: string; operationId: string; logger: Logger },
): void {
  const { code } = refineError(error)
  const fields = { request_id: context.requestId, operation: context.operationId, error }
  if (code === 'internal') context.logger.error('a request failed', fields)
  else if (code === 'storage_unavailable') context.logger.warn('the storage is away', fields)
}
