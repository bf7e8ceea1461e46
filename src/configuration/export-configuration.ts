import { withDefaults } from '../capture/create-source.ts'
import { listSources, type Source } from '../capture/source.ts'
import { presentConsumer } from '../http/present-consumer.ts'
import { DEFAULTS, listConsumers, type StoredConsumer } from '../queue/consumer-store.ts'
import type { Database } from '../storage/database.ts'
import { listLiveTokens } from '../tokens/token-store.ts'
import type { Token } from '../tokens/token.ts'
import { isSame, type EntryReference } from './configuration-plan.ts'
import { readHeaders } from './plan-consumers.ts'

const ENTRIES_MAX = 100_000
const PUSH_DEFAULTS: Record<string, unknown> = {
  batch_size: 1,
  timeout_ms: 15_000,
  max_in_flight: 10,
  rate_per_second: null,
  allow_http: false,
}

export interface ExportedConfiguration {
  /** As a file has it: secrets are `${VARIABLES}`, and every other `$` is doubled. */
  readonly configuration: Record<string, Record<string, Record<string, unknown>>>
  readonly variables: readonly string[]
  /** What a file cannot say. */
  readonly omitted: readonly (EntryReference & { reason: string })[]
}

/** All sources, consumers and live tokens, without what is as it would be by default. */
export async function exportConfiguration(
  { db }: Database,
  secretKey: Buffer | undefined,
): Promise<ExportedConfiguration> {
  const variables = new Set<string>()
  /** Two names may make one variable: the later has a number. */
  const hide = (...words: string[]): string => {
    const name = words
      .join('_')
      .toUpperCase()
      .replaceAll(/[^A-Z0-9]+/g, '_')
      .replace(/^(?=\d)/, '_')
    let variable = name
    for (let count = 2; variables.has(variable); count++) variable = `${name}_${count}`
    variables.add(variable)
    return `\${${variable}}`
  }
  const sources = (await listSources(db, { limit: ENTRIES_MAX })).map(
    (source) => [source.name, writeSource(source, hide)] as const,
  )
  const consumers = (await listConsumers(db, { limit: ENTRIES_MAX })).map(
    (consumer) => [consumer.name, writeConsumer(consumer, secretKey, hide)] as const,
  )
  const live = await listLiveTokens(db)
  const isAlone = ({ name }: Token): boolean => live.filter((t) => t.name === name).length === 1
  return {
    configuration: {
      sources: Object.fromEntries(sources),
      consumers: Object.fromEntries(consumers),
      tokens: Object.fromEntries(
        live.filter(isAlone).map((token) => [token.name, writeToken(token)]),
      ),
    },
    variables: [...variables],
    omitted: live
      .filter((token) => !isAlone(token))
      .map(({ id, name }) => ({
        kind: 'token',
        name,
        reason: `${id} shares its name with another token`,
      })),
  }
}

type Hide = (...words: string[]) => string

function writeSource(source: Source, hide: Hide): Record<string, unknown> {
  const { name, host, port, database, user, ssl, slot, publication, tables, annotations } = source
  const byDefault = withDefaults({ name, connection: { ...source, password: null } })
  return {
    ...escape({
      host,
      ...(port === 5432 ? {} : { port }),
      database,
      user,
      ssl,
      ...(slot === byDefault.slot ? {} : { slot }),
      ...(publication === byDefault.publication ? {} : { publication }),
      ...(tables === null ? {} : { tables }),
      ...(isSame(annotations, {}) ? {} : { annotations }),
    }),
    ...(source.hasPassword ? { password: hide(name, 'password') } : {}),
  }
}

function writeConsumer(
  consumer: StoredConsumer,
  secretKey: Buffer | undefined,
  hide: Hide,
): Record<string, unknown> {
  const { name, push, source, tables, ...shown } = presentConsumer(consumer)
  const isSetting = ([key]: [string, unknown]): boolean => Object.hasOwn(DEFAULTS, key)
  const settings = Object.fromEntries(Object.entries(shown).filter(isSetting))
  const headers = Object.keys(readHeaders(consumer, secretKey) ?? {})
  const given = {
    source,
    tables,
    ...omitDefaults(settings, DEFAULTS),
  }
  if (!push) return escape(given)
  return {
    ...escape(given),
    push: {
      ...escape(omitDefaults(push, PUSH_DEFAULTS)),
      ...(headers.length === 0
        ? {}
        : { headers: Object.fromEntries(headers.map((header) => [header, hide(name, header)])) }),
    },
  }
}

function writeToken({ scopes, consumers, expiresAt }: Token): Record<string, unknown> {
  return {
    scopes,
    ...(consumers === null ? {} : { consumers }),
    ...(expiresAt === null ? {} : { expires_at: expiresAt.toISOString() }),
  }
}

function omitDefaults(values: object, defaults: object): Record<string, unknown> {
  const standard: Record<string, unknown> = { ...defaults }
  return Object.fromEntries(
    Object.entries(values).filter(([key, value]) => !isSame(value, standard[key])),
  )
}

/** A `$` that is meant as one is written twice. */
function escape<T>(value: T): T {
  if (typeof value === 'string') return value.replaceAll('$', '$$$$') as T
  if (Array.isArray(value)) return value.map(escape) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, escape(item)])) as T
}
