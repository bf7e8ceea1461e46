import { createSource } from '../capture/create-source.ts'
import { deleteSource } from '../capture/delete-source.ts'
import { updateSource } from '../capture/update-source.ts'
import { MillraceError } from '../errors.ts'
import { PushKeeper } from '../http/push-keeper.ts'
import type { Configuration } from '../http/schemas/configuration.ts'
import { toSourceInput, toSourcePatch } from '../http/source-input.ts'
import { deleteConsumer, putConsumer } from '../queue/consumer-store.ts'
import type { Database, Db } from '../storage/database.ts'
import { createToken, revokeToken, updateToken } from '../tokens/token-store.ts'
import type { ConfigurationPlan, EntryReference } from './configuration-plan.ts'
import { holdConfigurationLock } from './configuration-lock.ts'
import { locateError } from './error-list.ts'
import { planConfiguration, type DetailedPlan, type PlanOptions } from './plan-configuration.ts'
import { readEntry } from './plan-tokens.ts'

export interface ApplyOptions extends PlanOptions {
  /** Refuses what would make a secret: there is nobody to show it to. */
  unattended?: boolean
}

export interface MadeSecret extends EntryReference {
  readonly secret: string
}

export interface ConfigurationResult extends ConfigurationPlan {
  /** Shown this once. */
  readonly secrets: readonly MadeSecret[]
  /** Sources that were to go and are still there; all else is done. */
  readonly not_deleted: readonly (EntryReference & { reason: string })[]
}

/**
 * Makes the server be as a configuration says, wholly or not at all: first new sources,
 * which are taken back if anything after them fails; then all else in one transaction;
 * at last sources that go, whose slots cannot be brought back. One at a time in all
 * processes.
 * @throws MillraceError; what it could not take back is in its message
 */
export function applyConfiguration(
  database: Database,
  configuration: Configuration,
  options: ApplyOptions,
): Promise<ConfigurationResult> {
  return holdConfigurationLock(database, async () => {
    const plan = await planConfiguration(database, configuration, options)
    if (options.unattended) expectTokensGiven(configuration, plan)
    const made: string[] = []
    let secrets: readonly MadeSecret[]
    try {
      await createSources(database, configuration, plan, options, made)
      secrets = await database.db
        .transaction()
        .execute((trx) => changeAll({ ...database, db: trx }, configuration, plan, options))
    } catch (error) {
      await takeBack(database, made, options, error)
      throw error
    }
    const not_deleted = await deleteSources(database, plan, options)
    return { changes: plan.changes, unlisted: plan.unlisted, secrets, not_deleted }
  })
}

async function createSources(
  database: Database,
  { sources = {} }: Configuration,
  plan: DetailedPlan,
  options: ApplyOptions,
  made: string[],
): Promise<void> {
  for (const { kind, name, action } of plan.changes) {
    if (kind !== 'source' || action !== 'create') continue
    await at(['sources', name], () =>
      createSource(database, toSourceInput(name, sources[name]!), options),
    )
    made.push(name)
  }
}

/** All else is done by then, and what was made has to be shown: a failure is told, not thrown. */
async function deleteSources(
  database: Database,
  { changes }: DetailedPlan,
  options: ApplyOptions,
): Promise<ConfigurationResult['not_deleted']> {
  const failed: (EntryReference & { reason: string })[] = []
  for (const { kind, name, action } of changes) {
    if (kind !== 'source' || action !== 'delete') continue
    try {
      await deleteSource(database, name, options)
    } catch (error) {
      const reason = error instanceof MillraceError ? error.message : 'something went wrong'
      failed.push({ kind, name, reason })
    }
  }
  return failed
}

/** @throws MillraceError where a source cannot be taken back; it says so */
async function takeBack(
  database: Database,
  made: readonly string[],
  options: ApplyOptions,
  cause: unknown,
): Promise<void> {
  for (const name of made.toReversed()) {
    try {
      await deleteSource(database, name, options)
    } catch (error) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new MillraceError(
        'conflict',
        `Applying failed (${reason}), and the new source "${name}" could not be taken back: delete it with "millrace sources delete ${name}".`,
        { cause: new AggregateError([cause, error]) },
      )
    }
  }
}

/** Within one transaction; sources first, whose checks take longest and hold no lock. */
async function changeAll(
  database: Database,
  configuration: Configuration,
  plan: DetailedPlan,
  options: ApplyOptions,
): Promise<MadeSecret[]> {
  const { sources = {}, consumers = {} } = configuration
  const secrets: MadeSecret[] = []
  for (const { kind, name, action } of plan.changes) {
    if (kind === 'source' && action === 'update') {
      const patch = toSourcePatch(plan.sources.get(name)!, sources[name]!)
      await at(['sources', name], () => updateSource(database, name, patch, options))
    }
    if (kind === 'consumer' && action === 'delete') await deleteConsumer(database.db, name)
    if (kind === 'consumer' && action !== 'delete') {
      const keeper = new PushKeeper(options.secretKey)
      await at(['consumers', name], () => putConsumer(database.db, name, consumers[name]!, keeper))
      const { push_secret: secret } = keeper.presentSecret()
      if (secret !== undefined) secrets.push({ kind, name, secret })
    }
  }
  secrets.push(...(await changeTokens(database.db, configuration, plan)))
  if (options.prune) {
    for (const { id } of plan.prunedTokens) await revokeToken(database.db, id)
  }
  return secrets
}

async function changeTokens(
  db: Db,
  { tokens = {} }: Configuration,
  { tokenSteps }: DetailedPlan,
): Promise<MadeSecret[]> {
  const secrets: MadeSecret[] = []
  for (const { change, before } of tokenSteps) {
    const { name, action } = change
    const entry = tokens[name]!
    if (before && action === 'update') {
      await updateToken(db, before.id, readEntry(entry))
      continue
    }
    if (before) await revokeToken(db, before.id)
    const { text } = await createToken(db, { name, ...readEntry(entry) }, entry.token)
    if (entry.token === undefined) secrets.push({ kind: 'token', name, secret: text })
  }
  return secrets
}

function expectTokensGiven({ tokens = {} }: Configuration, { tokenSteps }: DetailedPlan): void {
  const missing = tokenSteps.filter(
    ({ change }) => change.action === 'create' && tokens[change.name]?.token === undefined,
  )
  if (missing.length === 0) return
  const detail = 'is missing: at start nobody is there to be shown a token that is made'
  throw new MillraceError('validation_failed', `tokens: "token" ${detail}`, {
    errors: missing.map(({ change }) => ({ pointer: `/tokens/${change.name}/token`, detail })),
  })
}

/** Refusals point to the entry that they are about. */
async function at<T>(path: readonly string[], work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof MillraceError ? locateError(error, path) : error
  }
}
