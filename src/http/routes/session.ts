import { z } from '@hono/zod-openapi'

import { MillraceError } from '../../errors.ts'
import type { Authority, Principal } from '../auth.ts'
import type { Exchange } from '../exchange.ts'
import { defineRoutes, EMPTY_REPLY, reply, type Handlers } from '../route.ts'
import { CONSOLE_HEADER, type Sessions } from '../sessions.ts'

const tag = 'Console'

const sessionSchema = z.object({
  scopes: z.array(z.string()),
  consumers: z.union([z.literal('*'), z.array(z.string())]),
})

/**
 * How the console signs in. No part of the documented API: programs send their token
 * with each request.
 */
export const sessionDefinitions = defineRoutes({
  getSession: {
    method: 'get',
    path: '/session',
    tag,
    summary: 'What the signed-in token may do',
    access: 'public',
    answers: { 200: { description: 'Its scopes.', schema: sessionSchema } },
  },
  createSession: {
    method: 'post',
    path: '/session',
    tag,
    summary: 'Sign in with a token',
    access: 'public',
    body: { schema: z.strictObject({ token: z.string().min(1).max(500) }) },
    answers: { 200: { description: 'Signed in.', schema: sessionSchema } },
  },
  deleteSession: {
    method: 'delete',
    path: '/session',
    tag,
    summary: 'Sign out',
    access: 'public',
    answers: { 204: { description: 'Signed out.' } },
  },
})

export function createSessionHandlers(
  authority: Authority,
  sessions: Sessions,
): Handlers<typeof sessionDefinitions> {
  return {
    async getSession({ exchange }) {
      const authorization = sessions.readAuthorization(exchange)
      return reply(200, presentPrincipal(await authority.authenticate(authorization)))
    },
    async createSession({ exchange, body }) {
      expectConsole(exchange)
      const principal = await authority.authenticate(`Bearer ${body.token}`)
      const cookie = sessions.begin(body.token, isSecure(exchange))
      return { ...reply(200, presentPrincipal(principal)), headers: { 'set-cookie': cookie } }
    },
    deleteSession({ exchange }) {
      expectConsole(exchange)
      return { ...EMPTY_REPLY, headers: { 'set-cookie': sessions.end(isSecure(exchange)) } }
    },
  }
}

/** Another site may neither sign someone in nor out. */
function expectConsole(exchange: Exchange): void {
  if (exchange.header(CONSOLE_HEADER) !== undefined) return
  throw new MillraceError(
    'unauthenticated',
    'Signing in and out needs the header "X-Millrace-Console: 1".',
  )
}

/** Behind a proxy that ends TLS the request itself is plain; claiming otherwise only hurts the claimer. */
function isSecure(exchange: Exchange): boolean {
  return exchange.url.startsWith('https:') || exchange.header('x-forwarded-proto') === 'https'
}

function presentPrincipal({ scopes, consumers }: Principal): z.input<typeof sessionSchema> {
  return { scopes: [...scopes], consumers: consumers ? [...consumers] : '*' }
}
