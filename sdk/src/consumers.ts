import type { components } from './generated/schema.ts'
import { bodyOf, type CallOptions, type Http, type Query } from './http.ts'
import { listAll, type Page } from './list-all.ts'

type Schemas = components['schemas']
export type Consumer = Schemas['Consumer']
export type CreatedConsumer = Schemas['CreatedConsumer']
export type ConsumerStats = Schemas['ConsumerStats']

/** Consumers by id or name. Bodies and answers are the API's own. */
export type Consumers = ReturnType<typeof createConsumers>

const at = (consumer: string) => ({ params: { path: { consumer } } })

export function createConsumers({ api, repeatable, once }: Http) {
  const list = (
    query: Query<'/v1/consumers', 'get'> = {},
    options?: CallOptions,
  ): Promise<Page<Consumer>> =>
    bodyOf(api.GET('/v1/consumers', { params: { query }, ...repeatable(options) }))

  return {
    list,
    listAll: (options?: CallOptions) =>
      listAll((cursor) => list(cursor === undefined ? {} : { cursor }, options)),

    get: (consumer: string, options?: CallOptions): Promise<Consumer> =>
      bodyOf(api.GET('/v1/consumers/{consumer}', { ...at(consumer), ...repeatable(options) })),

    /** @throws ConflictError if there is one of this name */
    create: (body: Schemas['ConsumerCreate'], options?: CallOptions): Promise<CreatedConsumer> =>
      bodyOf(api.POST('/v1/consumers', { body, ...once(options) })),

    /** Creates it, or gives it exactly these settings. */
    put: (
      consumer: string,
      body: Schemas['ConsumerPut'],
      options?: CallOptions,
    ): Promise<CreatedConsumer> =>
      bodyOf(
        api.PUT('/v1/consumers/{consumer}', { ...at(consumer), body, ...repeatable(options) }),
      ),

    /** Changes what is named. */
    patch: (
      consumer: string,
      body: Schemas['ConsumerPatch'],
      options?: CallOptions,
    ): Promise<Consumer> =>
      bodyOf(
        api.PATCH('/v1/consumers/{consumer}', { ...at(consumer), body, ...repeatable(options) }),
      ),

    async delete(consumer: string, options?: CallOptions): Promise<void> {
      await api.DELETE('/v1/consumers/{consumer}', { ...at(consumer), ...repeatable(options) })
    },

    stats: (consumer: string, options?: CallOptions): Promise<ConsumerStats> =>
      bodyOf(
        api.GET('/v1/consumers/{consumer}/stats', { ...at(consumer), ...repeatable(options) }),
      ),

    pause: (
      consumer: string,
      body: Schemas['PauseRequest'] = {},
      options?: CallOptions,
    ): Promise<Consumer> =>
      bodyOf(
        api.POST('/v1/consumers/{consumer}/pause', {
          ...at(consumer),
          body,
          ...repeatable(options),
        }),
      ),

    resume: (consumer: string, options?: CallOptions): Promise<Consumer> =>
      bodyOf(
        api.POST('/v1/consumers/{consumer}/resume', { ...at(consumer), ...repeatable(options) }),
      ),

    /** The new secret is shown once; for a day requests are signed with both. */
    rotateSecret: (
      consumer: string,
      options?: CallOptions,
    ): Promise<Schemas['RotateSecretResponse']> =>
      bodyOf(
        api.POST('/v1/consumers/{consumer}/push/rotate_secret', {
          ...at(consumer),
          ...once(options),
        }),
      ),
  }
}
