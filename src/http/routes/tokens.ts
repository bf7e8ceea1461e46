import { createNotFound } from '../../errors.ts'
import type { Db } from '../../storage/database.ts'
import { createToken, listTokens, revokeToken } from '../../tokens/token-store.ts'
import type { Token } from '../../tokens/token.ts'
import { decodeCursor, makePage } from '../page.ts'
import { defineRoutes, EMPTY_REPLY, reply, type Handlers } from '../route.ts'
import { pageQuery } from '../schemas/shared.ts'
import { createdTokenSchema, tokenCreate, tokenList } from '../schemas/token.ts'

const tag = 'Tokens'
const access = { scope: 'admin', over: 'everything' } as const

export const tokenDefinitions = defineRoutes({
  listTokens: {
    method: 'get',
    path: '/v1/tokens',
    tag,
    summary: 'List tokens',
    description: 'Without their secrets, which are kept nowhere. Ended ones stay for 30 days.',
    access,
    query: pageQuery,
    answers: { 200: { description: 'A page of tokens.', schema: tokenList } },
  },
  createToken: {
    method: 'post',
    path: '/v1/tokens',
    tag,
    summary: 'Make a token',
    access,
    body: {
      schema: tokenCreate,
      examples: { service: { name: 'shipping', scopes: ['consume'], consumers: ['shipping'] } },
    },
    answers: { 201: { description: 'The token, shown this once.', schema: createdTokenSchema } },
  },
  deleteToken: {
    method: 'delete',
    path: '/v1/tokens/{token}',
    tag,
    summary: 'Revoke a token',
    description: 'By its id. Effective in every process within two seconds.',
    access,
    answers: { 204: { description: 'Revoked.' } },
  },
})

export function createTokenHandlers(db: Db): Handlers<typeof tokenDefinitions> {
  return {
    async listTokens({ query }) {
      const after = decodeCursor(query.cursor)
      const rows = await listTokens(db, {
        limit: query.limit + 1,
        ...(after === undefined ? {} : { after }),
      })
      const keyOf = ({ id }: Token): string => id
      return reply(200, makePage(rows, query.limit, { keyOf, present: presentToken }))
    },
    async createToken({ body }) {
      const { token, text } = await createToken(db, {
        name: body.name,
        scopes: [...new Set(body.scopes)],
        consumers: body.consumers === '*' ? null : [...new Set(body.consumers)],
        expiresAt: body.expires_at === null ? null : new Date(body.expires_at),
      })
      return reply(201, { ...presentToken(token), token: text })
    },
    async deleteToken({ param }) {
      const id = param('token')
      // Anything else is no id, and Postgres need not be asked.
      const isOne = /^[0-9a-f]{12}$/.test(id) && (await revokeToken(db, id))
      if (!isOne) throw createNotFound('token', id)
      return EMPTY_REPLY
    },
  }
}

function presentToken(token: Token) {
  return {
    id: token.id,
    name: token.name,
    scopes: token.scopes,
    consumers: token.consumers ?? '*',
    created_at: token.createdAt.toISOString(),
    expires_at: token.expiresAt?.toISOString() ?? null,
    revoked_at: token.revokedAt?.toISOString() ?? null,
    last_used_at: token.lastUsedAt?.toISOString() ?? null,
  }
}
