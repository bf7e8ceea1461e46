import { listSources, type Source } from '../capture/source.ts'
import type { Configuration } from '../http/schemas/configuration.ts'
import { listConsumers, type StoredConsumer } from '../queue/consumer-store.ts'
import type { Database } from '../storage/database.ts'
import { listLiveTokens } from '../tokens/token-store.ts'
import type { Token } from '../tokens/token.ts'
import type {
  ConfigurationChange,
  ConfigurationPlan,
  EntryReference,
} from './configuration-plan.ts'
import { ErrorList } from './error-list.ts'
import { planConsumer } from './plan-consumers.ts'
import { expectReachable, planSource } from './plan-sources.ts'
import { planToken, type TokenStep } from './plan-tokens.ts'

/** More than this is no configuration by hand, and would not fit a file. */
const ENTRIES_MAX = 100_000

export interface PlanOptions {
  secretKey: Buffer | undefined
  /** Whether what is not listed goes, in the sections that are there. */
  prune: boolean
}

/** The plan, with what carrying it out needs besides. */
export interface DetailedPlan extends ConfigurationPlan {
  readonly sources: ReadonlyMap<string, Source>
  readonly tokenSteps: readonly TokenStep[]
  readonly prunedTokens: readonly Token[]
}

interface State {
  sources: Map<string, Source>
  consumers: Map<string, StoredConsumer>
  tokens: readonly Token[]
}

/**
 * Holds a configuration against what is there, and changes nothing. All that can be
 * checked beforehand is: settings, and the databases of sources that are new.
 * @throws MillraceError that names every fault, with a pointer into the configuration
 */
export async function planConfiguration(
  database: Database,
  configuration: Configuration,
  options: PlanOptions,
): Promise<DetailedPlan> {
  const state = await readState(database)
  const errors = new ErrorList()
  const sources = await planSources(database, configuration, state, options, errors)
  const consumers = await planConsumers(database, configuration, state, options, errors)
  const tokenSteps = await planTokens(database, configuration, state, errors)
  const unlisted = listUnlisted(configuration, state)
  const pruned = options.prune ? unlisted : []
  await checkPruned(database, state, pruned, options, errors)
  errors.throwIfAny()
  const deletions = pruned.map(({ kind, name }): ConfigurationChange => ({
    kind,
    name,
    action: 'delete',
    fields: [],
  }))
  return {
    changes: [...sources, ...consumers, ...tokenSteps.map(({ change }) => change), ...deletions],
    unlisted: options.prune ? [] : unlisted,
    sources: state.sources,
    tokenSteps,
    prunedTokens: state.tokens.filter(
      ({ name }) => configuration.tokens && !Object.hasOwn(configuration.tokens, name),
    ),
  }
}

async function readState({ db }: Database): Promise<State> {
  const sources = await listSources(db, { limit: ENTRIES_MAX })
  const consumers = await listConsumers(db, { limit: ENTRIES_MAX })
  return {
    sources: new Map(sources.map((source) => [source.name, source])),
    consumers: new Map(consumers.map((consumer) => [consumer.name, consumer])),
    tokens: await listLiveTokens(db),
  }
}

async function planSources(
  database: Database,
  { sources = {} }: Configuration,
  state: State,
  { secretKey }: PlanOptions,
  errors: ErrorList,
): Promise<ConfigurationChange[]> {
  const changes: ConfigurationChange[] = []
  for (const [name, entry] of Object.entries(sources)) {
    const before = state.sources.get(name)
    const change = await errors.collect(['sources', name], () =>
      planSource(database, name, entry, before, secretKey),
    )
    if (change) changes.push(change)
  }
  return changes
}

async function planConsumers(
  { db }: Database,
  { sources = {}, consumers = {} }: Configuration,
  state: State,
  { secretKey }: PlanOptions,
  errors: ErrorList,
): Promise<ConfigurationChange[]> {
  const changes: ConfigurationChange[] = []
  const sourceIds = new Map([...state.sources.values()].map((source) => [source.id, source]))
  for (const [name, entry] of Object.entries(consumers)) {
    const source = state.sources.get(entry.source) ?? sourceIds.get(entry.source)
    if (!source && !Object.hasOwn(sources, entry.source)) {
      errors.add(['consumers', name, 'source'], `there is no source "${entry.source}"`)
      continue
    }
    // Stored and shown by its name, whichever way it is written.
    const named = source ? { ...entry, source: source.name } : entry
    const known = { before: state.consumers.get(name), sourceNo: source?.sourceNo }
    const change = await errors.collect(['consumers', name], () =>
      planConsumer(db, name, named, known, secretKey),
    )
    if (change) changes.push(change)
  }
  return changes
}

async function planTokens(
  { db }: Database,
  { tokens = {} }: Configuration,
  state: State,
  errors: ErrorList,
): Promise<TokenStep[]> {
  const steps: TokenStep[] = []
  for (const [name, entry] of Object.entries(tokens)) {
    const named = state.tokens.filter((token) => token.name === name)
    const step = await errors.collect(['tokens', name], () => planToken(db, name, entry, named))
    if (step) steps.push(step)
  }
  return steps
}

/** Consumers go before the source that they read from. */
function listUnlisted(configuration: Configuration, state: State): EntryReference[] {
  const list = (
    kind: EntryReference['kind'],
    section: object | undefined,
    names: Iterable<string>,
  ): EntryReference[] =>
    section === undefined
      ? []
      : [...new Set(names)]
          .filter((name) => !Object.hasOwn(section, name))
          .map((name) => ({ kind, name }))
  const tokenNames = state.tokens.map(({ name }) => name)
  return [
    ...list('token', configuration.tokens, tokenNames),
    ...list('consumer', configuration.consumers, state.consumers.keys()),
    ...list('source', configuration.sources, state.sources.keys()),
  ]
}

async function checkPruned(
  database: Database,
  state: State,
  pruned: readonly EntryReference[],
  { secretKey }: PlanOptions,
  errors: ErrorList,
): Promise<void> {
  const going = new Set(pruned.map(({ kind, name }) => `${kind} ${name}`))
  for (const { name } of pruned.filter(({ kind }) => kind === 'source')) {
    const users = [...state.consumers.values()]
      .filter((consumer) => consumer.source === name && !going.has(`consumer ${consumer.name}`))
      .map((consumer) => consumer.name)
    if (users.length > 0) {
      errors.add(
        ['sources'],
        `would lose "${name}", which consumers read from: ${users.join(', ')}`,
      )
    }
    const source = state.sources.get(name)!
    await errors.collect(['sources'], () => expectReachable(database, source, secretKey))
  }
}
