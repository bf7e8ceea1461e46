import type { components } from './generated/schema.ts'
import { bodyOf, type CallOptions, type Http, type Query } from './http.ts'
import { listAll, type Page } from './list-all.ts'

type Schemas = components['schemas']
export type Token = Schemas['Token']

export type Tokens = ReturnType<typeof createTokens>

export function createTokens({ api, repeatable, once }: Http) {
  const list = (
    query: Query<'/v1/tokens', 'get'> = {},
    options?: CallOptions,
  ): Promise<Page<Token>> =>
    bodyOf(api.GET('/v1/tokens', { params: { query }, ...repeatable(options) }))

  return {
    list,
    listAll: (options?: CallOptions) =>
      listAll((cursor) => list(cursor === undefined ? {} : { cursor }, options)),

    /** The token itself is in the answer, and shown only there. */
    create: (
      body: Schemas['TokenCreate'],
      options?: CallOptions,
    ): Promise<Schemas['CreatedToken']> =>
      bodyOf(api.POST('/v1/tokens', { body, ...once(options) })),

    /** Revokes it. */
    async delete(token: string, options?: CallOptions): Promise<void> {
      await api.DELETE('/v1/tokens/{token}', {
        params: { path: { token } },
        ...repeatable(options),
      })
    },
  }
}
