import { randomUUID } from 'node:crypto'

import type { z } from '@hono/zod-openapi'
import type { Context, Hono } from 'hono'

import { MillraceError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { createNotFound, type Authority, type Principal } from './auth.ts'
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

/** Puts routes on the app. There is no middleware: one function per request does all. */
export function mountRoutes<D extends RouteDefinitions>(
  app: Hono,
  definitions: D,
  handlers: Handlers<D>,
  options: MountOptions,
): void {
  for (const [operationId, definition] of Object.entries(definitions)) {
    const handle = handlers[operationId] as unknown as (call: AnyCall) => Promise<Reply> | Reply
    const path = definition.path.replaceAll(/\{(\w+)\}/g, ':$1')
    app.on(definition.method.toUpperCase(), path, async (c) => {
      const startedAt = performance.now()
      const requestId = createRequestId()
      let answer: Reply
      try {
        answer = await handle(await admitCall(c, requestId, definition, options))
      } catch (error) {
        answer = createProblem(error, requestId)
        logRefusal(error, { requestId, operationId, logger: options.logger })
      }
      options.observe?.(operationId, answer.status, performance.now() - startedAt)
      return toResponse(answer, requestId)
    })
  }
}

/** Checks in this order: token, scope, query, body. Nothing is read of a stranger's body. */
async function admitCall(
  c: Context,
  requestId: string,
  definition: RouteDefinition,
  { authority, sessions }: MountOptions,
): Promise<AnyCall> {
  let principal: Principal | undefined
  if (definition.access !== 'public') {
    principal = await authority.authorize(
      definition.access,
      readAuthorization(c, sessions),
      c.req.param('consumer'),
    )
  }
  refuseOddReferences(c)
  const query = definition.query ? validateQuery(definition.query, c.req.query()) : undefined
  const body = definition.body ? await readBody(c, definition, definition.body.schema) : undefined
  return {
    context: c,
    requestId,
    principal,
    param: (name) => c.req.param(name) ?? '',
    query: query as AnyCall['query'],
    body: body as AnyCall['body'],
  }
}

function readAuthorization({ req }: Context, sessions: Sessions | undefined): string | undefined {
  return sessions
    ? sessions.readAuthorization({ method: req.method, header: (name) => req.header(name) })
    : req.header('authorization')
}

/** No id and no name looks like that, and Postgres takes no NUL even in a comparison. */
function refuseOddReferences(c: Context): void {
  for (const [kind, reference] of Object.entries(c.req.param())) {
    if (!/^[\w-]{1,100}$/.test(reference)) throw createNotFound(kind, reference)
  }
}

async function readBody(
  c: Context,
  definition: RouteDefinition,
  schema: z.ZodType,
): Promise<unknown> {
  const value = await readJsonBody(c, bodyLimitOf(definition))
  if (value === undefined && !definition.body?.isOptional) {
    throw new MillraceError('malformed_json', 'The body is empty; this call takes JSON.')
  }
  return validateBody(schema, value ?? {})
}

export function createRequestId(): string {
  return `req_${randomUUID()}`
}

/** Headers are a plain object: the server writes it as it is, without a Headers in between. */
export function toResponse(answer: Reply, requestId: string): Response {
  const headers: Record<string, string> = {
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-request-id': requestId,
    ...answer.headers,
  }
  if (answer.body !== null) headers['content-type'] = answer.contentType ?? 'application/json'
  return new Response(answer.body, { status: answer.status, headers })
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
