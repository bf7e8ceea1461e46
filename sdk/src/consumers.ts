import { createConsumerBackfills } from './backfills.ts'
import type { components } from './generated/schema.ts'
import { bodyOf, type CallOptions, type Http, type Query, type RequestBody } from './http.ts'
import { listAll, type Page } from './list-all.ts'

type Schemas = components['schemas']
export type Consumer = Schemas['Consumer']
export type CreatedConsumer = Schemas['CreatedConsumer']
export type ConsumerStats = Schemas['ConsumerStats']
/** A message as an operator sees it: its change, and where it stands. */
export type ListedMessage = Schemas['ListedMessage']
/** A change, and its state with the consumers that select it. */
export type FanOut = Schemas['FanOut']

/** What became of a sample that was sent to a webhook. */
export type PushTest = Schemas['PushTestResponse']

/** Consumers by id or name. Bodies and answers are the API's own. */
export type Consumers = ReturnType<typeof createConsumers>

const at = (consumer: string) => ({ params: { path: { consumer } } })

export function createConsumers(http: Http) {
  const { api, repeatable, once } = http
  const list = (
    query: Query<'/v1/consumers', 'get'> = {},
    options?: CallOptions,
  ): Promise<Page<Consumer>> =>
    bodyOf(api.GET('/v1/consumers', { params: { query }, ...repeatable(options) }))

  return {
    backfills: createConsumerBackfills(http),

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

    /** A page of the messages in one state, oldest first; looking is no delivery. */
    messages: (
      consumer: string,
      query: Query<'/v1/consumers/{consumer}/messages', 'get'> = {},
      options?: CallOptions,
    ): Promise<Page<ListedMessage>> =>
      bodyOf(
        api.GET('/v1/consumers/{consumer}/messages', {
          params: { path: { consumer }, query },
          ...repeatable(options),
        }),
      ),

    /** @throws NotFoundError if the log does not hold it, or the consumer does not select it */
    message: (consumer: string, seq: number, options?: CallOptions): Promise<FanOut> =>
      bodyOf(
        api.GET('/v1/consumers/{consumer}/messages/{seq}', {
          params: { path: { consumer, seq: String(seq) } },
          ...repeatable(options),
        }),
      ),

    /** What it selects from the log, whatever became of it: to be followed by `last_seq`. */
    changes: (
      consumer: string,
      query: Query<'/v1/consumers/{consumer}/changes', 'get'> = {},
      options?: CallOptions,
    ): Promise<Schemas['FollowedChanges']> =>
      bodyOf(
        api.GET('/v1/consumers/{consumer}/changes', {
          params: { path: { consumer }, query },
          ...repeatable(options),
        }),
      ),

    /** Moves the cursor; leases are lost. Not sent again by itself: it would take new ones, too. */
    seek: (
      consumer: string,
      body: RequestBody<'/v1/consumers/{consumer}/seek', 'post'>,
      options?: CallOptions,
    ): Promise<Schemas['SeekResponse']> =>
      bodyOf(
        api.POST('/v1/consumers/{consumer}/seek', { ...at(consumer), body, ...once(options) }),
      ),

    /** Delivers a range of the log again; the cursor stays. Sent twice it would be two replays. */
    replay: (
      consumer: string,
      body: RequestBody<'/v1/consumers/{consumer}/replay', 'post'>,
      options?: CallOptions,
    ): Promise<Schemas['ReplayResponse']> =>
      bodyOf(
        api.POST('/v1/consumers/{consumer}/replay', { ...at(consumer), body, ...once(options) }),
      ),

    /** Puts dead or retrying messages up for delivery now; at most 10,000 a call. */
    redrive: (
      consumer: string,
      body: RequestBody<'/v1/consumers/{consumer}/redrive', 'post'>,
      options?: CallOptions,
    ): Promise<Schemas['RedriveResponse']> =>
      bodyOf(
        api.POST('/v1/consumers/{consumer}/redrive', {
          ...at(consumer),
          body,
          ...repeatable(options),
        }),
      ),

    /** Gives dead or retrying messages up for good. */
    discard: (
      consumer: string,
      body: RequestBody<'/v1/consumers/{consumer}/discard', 'post'>,
      options?: CallOptions,
    ): Promise<Schemas['DiscardResponse']> =>
      bodyOf(
        api.POST('/v1/consumers/{consumer}/discard', {
          ...at(consumer),
          body,
          ...repeatable(options),
        }),
      ),

    /** Empties the queue; `confirm` is the consumer's name. Not sent again by itself. */
    purge: (
      consumer: string,
      body: RequestBody<'/v1/consumers/{consumer}/purge', 'post'>,
      options?: CallOptions,
    ): Promise<Schemas['PurgeResponse']> =>
      bodyOf(
        api.POST('/v1/consumers/{consumer}/purge', { ...at(consumer), body, ...once(options) }),
      ),

    /**
     * Sends a sample to its webhook, once; resolves whatever the endpoint does.
     * @throws ConflictError if it has no webhook
     */
    testPush: (consumer: string, options?: CallOptions): Promise<PushTest> =>
      bodyOf(api.POST('/v1/consumers/{consumer}/push/test', { ...at(consumer), ...once(options) })),

    /** The same for a webhook that no consumer has yet. It is signed with a secret made up for it. */
    testWebhook: (
      body: RequestBody<'/v1/push/test', 'post'>,
      options?: CallOptions,
    ): Promise<PushTest> => bodyOf(api.POST('/v1/push/test', { body, ...once(options) })),

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
