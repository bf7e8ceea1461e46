import type { components } from './generated/schema.ts'
import { bodyOf, type CallOptions, type Http, type Query } from './http.ts'
import { listAll, type Page } from './list-all.ts'

type Schemas = components['schemas']
/** Reading the rows that a table holds already. */
export type Backfill = Schemas['Backfill']

/** The source is asked whether it can be done. */
const START_MS = 60_000

/** For one consumer, by its id or name. */
export function createConsumerBackfills({ api, repeatable, once }: Http) {
  const at = (consumer: string) => ({ params: { path: { consumer } } })
  const one = (consumer: string, id: string) => ({ params: { path: { consumer, id } } })
  const list = (
    consumer: string,
    query: Query<'/v1/consumers/{consumer}/backfills', 'get'> = {},
    options?: CallOptions,
  ): Promise<Page<Backfill>> =>
    bodyOf(
      api.GET('/v1/consumers/{consumer}/backfills', {
        params: { path: { consumer }, query },
        ...repeatable(options),
      }),
    )

  return {
    list,
    /** The newest first. */
    listAll: (consumer: string, options?: CallOptions) =>
      listAll((cursor) => list(consumer, cursor === undefined ? {} : { cursor }, options)),

    /**
     * One for each table.
     * @throws ConflictError while there is one of the same table
     */
    start: (
      consumer: string,
      body: Schemas['ConsumerBackfillRequest'] = {},
      options?: CallOptions,
    ): Promise<Schemas['StartedBackfills']> =>
      bodyOf(
        api.POST('/v1/consumers/{consumer}/backfills', {
          ...at(consumer),
          body,
          ...once({ timeoutMs: START_MS, ...options }),
        }),
      ),

    get: (consumer: string, id: string, options?: CallOptions): Promise<Backfill> =>
      bodyOf(
        api.GET('/v1/consumers/{consumer}/backfills/{id}', {
          ...one(consumer, id),
          ...repeatable(options),
        }),
      ),

    pause: (consumer: string, id: string, options?: CallOptions): Promise<Backfill> =>
      bodyOf(
        api.POST('/v1/consumers/{consumer}/backfills/{id}/pause', {
          ...one(consumer, id),
          ...repeatable(options),
        }),
      ),

    /** Also after a failure. */
    resume: (consumer: string, id: string, options?: CallOptions): Promise<Backfill> =>
      bodyOf(
        api.POST('/v1/consumers/{consumer}/backfills/{id}/resume', {
          ...one(consumer, id),
          ...repeatable(options),
        }),
      ),

    /** For good; what was read stays. */
    cancel: (consumer: string, id: string, options?: CallOptions): Promise<Backfill> =>
      bodyOf(
        api.POST('/v1/consumers/{consumer}/backfills/{id}/cancel', {
          ...one(consumer, id),
          ...repeatable(options),
        }),
      ),
  }
}

/** For every consumer of a table. */
export function createSourceBackfills({ api, repeatable, once }: Http) {
  const one = (source: string, id: string) => ({ params: { path: { source, id } } })
  const list = (
    source: string,
    query: Query<'/v1/sources/{source}/backfills', 'get'> = {},
    options?: CallOptions,
  ): Promise<Page<Backfill>> =>
    bodyOf(
      api.GET('/v1/sources/{source}/backfills', {
        params: { path: { source }, query },
        ...repeatable(options),
      }),
    )

  return {
    /** All of the source, for whomever they are. */
    list,
    /** The newest first. */
    listAll: (source: string, options?: CallOptions) =>
      listAll((cursor) => list(source, cursor === undefined ? {} : { cursor }, options)),

    /** @throws ConflictError while there is one of the same table */
    start: (
      source: string,
      body: Schemas['SourceBackfillRequest'],
      options?: CallOptions,
    ): Promise<Schemas['StartedBackfills']> =>
      bodyOf(
        api.POST('/v1/sources/{source}/backfills', {
          params: { path: { source } },
          body,
          ...once({ timeoutMs: START_MS, ...options }),
        }),
      ),

    get: (source: string, id: string, options?: CallOptions): Promise<Backfill> =>
      bodyOf(
        api.GET('/v1/sources/{source}/backfills/{id}', {
          ...one(source, id),
          ...repeatable(options),
        }),
      ),

    pause: (source: string, id: string, options?: CallOptions): Promise<Backfill> =>
      bodyOf(
        api.POST('/v1/sources/{source}/backfills/{id}/pause', {
          ...one(source, id),
          ...repeatable(options),
        }),
      ),

    /** Also after a failure. */
    resume: (source: string, id: string, options?: CallOptions): Promise<Backfill> =>
      bodyOf(
        api.POST('/v1/sources/{source}/backfills/{id}/resume', {
          ...one(source, id),
          ...repeatable(options),
        }),
      ),

    /** For good; what was read stays. */
    cancel: (source: string, id: string, options?: CallOptions): Promise<Backfill> =>
      bodyOf(
        api.POST('/v1/sources/{source}/backfills/{id}/cancel', {
          ...one(source, id),
          ...repeatable(options),
        }),
      ),
  }
}
