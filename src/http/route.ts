import type { z } from '@hono/zod-openapi'

import type { Access, Principal } from './auth.ts'
import type { Exchange } from './exchange.ts'
import type { Reply } from './problem.ts'

/** Settling calls carry up to 1000 ids and reasons. */
export const SETTLE_BYTES_MAX = 1024 * 1024
const BODY_BYTES_MAX = 256 * 1024

/** One call of the API, without what it does: all that the document and the checks need. */
export interface RouteDefinition {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete'
  /** As OpenAPI writes it: `/v1/consumers/{consumer}`. */
  path: string
  tag: string
  summary: string
  description?: string
  access: Access
  query?: z.ZodType
  body?: {
    schema: z.ZodType
    /** An empty body counts as `{}`. */
    isOptional?: boolean
    bytesMax?: number
    examples?: Record<string, unknown>
  }
  answers: Record<
    number,
    { description: string; schema?: z.ZodType; contentType?: string; example?: unknown }
  >
  /** Statuses of refusals beyond those that follow from the above. */
  refusals?: readonly number[]
}

/** Definitions by their operation ids. */
export type RouteDefinitions = Record<string, RouteDefinition>

/** A call that has passed all checks. */
export interface Call<D extends RouteDefinition> {
  readonly exchange: Exchange
  readonly requestId: string
  /** Undefined on public routes only. */
  readonly principal: Principal | undefined
  readonly param: (name: string) => string
  readonly query: D['query'] extends z.ZodType ? z.output<D['query']> : undefined
  readonly body: D['body'] extends { schema: infer S extends z.ZodType } ? z.output<S> : undefined
}

/** What each definition does: none can be forgotten. */
export type Handlers<D extends RouteDefinitions> = {
  [K in keyof D]: (call: Call<D[K]>) => Promise<Reply> | Reply
}

/** Keeps the exact types of the definitions. */
export function defineRoutes<const D extends RouteDefinitions>(definitions: D): D {
  return definitions
}

export function bodyLimitOf(definition: RouteDefinition): number {
  return definition.body?.bytesMax ?? BODY_BYTES_MAX
}

export function reply(status: number, value: unknown): Reply {
  return { status, body: JSON.stringify(value) }
}

export const EMPTY_REPLY: Reply = { status: 204, body: null }
