import { createSourceBackfills } from './backfills.ts'
import type { components } from './generated/schema.ts'
import type { FanOut } from './consumers.ts'
import { bodyOf, type CallOptions, type Http, type Query } from './http.ts'
import { listAll, type Page } from './list-all.ts'

type Schemas = components['schemas']
export type Source = Schemas['Source']
/** A change as the log holds it. */
export type LoggedChange = Schemas['Change']

/** Databases whose changes are captured, by id or name. Bodies and answers are the API's own. */
export type Sources = ReturnType<typeof createSources>

const at = (source: string) => ({ params: { path: { source } } })

/** Making a slot waits for the transactions that run in the database. */
const CREATE_MS = 120_000

export function createSources(http: Http) {
  const { api, repeatable, once } = http
  const list = (
    query: Query<'/v1/sources', 'get'> = {},
    options?: CallOptions,
  ): Promise<Page<Source>> =>
    bodyOf(api.GET('/v1/sources', { params: { query }, ...repeatable(options) }))

  return {
    backfills: createSourceBackfills(http),

    list,
    listAll: (options?: CallOptions) =>
      listAll((cursor) => list(cursor === undefined ? {} : { cursor }, options)),

    get: (source: string, options?: CallOptions): Promise<Source> =>
      bodyOf(api.GET('/v1/sources/{source}', { ...at(source), ...repeatable(options) })),

    /** @throws ConflictError if there is one of this name */
    create: (body: Schemas['SourceCreate'], options?: CallOptions): Promise<Source> =>
      bodyOf(api.POST('/v1/sources', { body, ...once({ timeoutMs: CREATE_MS, ...options }) })),

    /** Connects a database, or changes how it is reached. */
    put: (source: string, body: Schemas['SourcePut'], options?: CallOptions): Promise<Source> =>
      bodyOf(
        api.PUT('/v1/sources/{source}', {
          ...at(source),
          body,
          ...repeatable({ timeoutMs: CREATE_MS, ...options }),
        }),
      ),

    patch: (source: string, body: Schemas['SourcePatch'], options?: CallOptions): Promise<Source> =>
      bodyOf(api.PATCH('/v1/sources/{source}', { ...at(source), body, ...repeatable(options) })),

    /** Drops its slot as well, unless told not to. */
    async delete(
      source: string,
      { dropSlot = true, ...options }: CallOptions & { dropSlot?: boolean } = {},
    ): Promise<void> {
      const query = dropSlot ? {} : { drop_slot: 'false' as const }
      await api.DELETE('/v1/sources/{source}', {
        params: { path: { source }, query },
        ...repeatable(options),
      })
    },

    /** Every check by name, with what mends it; creates nothing. */
    test: (body: Schemas['SourceCreate'], options?: CallOptions): Promise<Schemas['Checks']> =>
      bodyOf(api.POST('/v1/sources/test', { body, ...repeatable(options) })),

    /** The same of a connected source, and what its reader says. */
    checks: (source: string, options?: CallOptions): Promise<Schemas['Checks']> =>
      bodyOf(api.GET('/v1/sources/{source}/checks', { ...at(source), ...repeatable(options) })),

    /**
     * Goes on behind changes that can no longer be read; answers which those are.
     * @throws ConflictError where nothing is missing, or the slot is
     */
    acceptGap: (source: string, options?: CallOptions): Promise<Schemas['SourceGap']> =>
      bodyOf(api.POST('/v1/sources/{source}/accept-gap', { ...at(source), ...once(options) })),

    tables: (source: string, options?: CallOptions): Promise<Schemas['SourceTables']> =>
      bodyOf(api.GET('/v1/sources/{source}/tables', { ...at(source), ...repeatable(options) })),

    health: (source: string, options?: CallOptions): Promise<Schemas['SourceHealth']> =>
      bodyOf(api.GET('/v1/sources/{source}/health', { ...at(source), ...repeatable(options) })),

    /** A page of the log itself, whoever consumes it. */
    changes: (
      source: string,
      query: Query<'/v1/sources/{source}/changes', 'get'> = {},
      options?: CallOptions,
    ): Promise<Page<LoggedChange>> =>
      bodyOf(
        api.GET('/v1/sources/{source}/changes', {
          params: { path: { source }, query },
          ...repeatable(options),
        }),
      ),

    /** One change, and its state with every consumer that selects it. */
    change: (source: string, seq: number, options?: CallOptions): Promise<FanOut> =>
      bodyOf(
        api.GET('/v1/sources/{source}/changes/{seq}', {
          params: { path: { source, seq: String(seq) } },
          ...repeatable(options),
        }),
      ),
  }
}
