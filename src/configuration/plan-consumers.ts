import { MillraceError } from '../errors.ts'
import type { Configuration } from '../http/schemas/configuration.ts'
import { openPushSecrets } from '../push/push-secrets.ts'
import {
  checkConsumer,
  fillSettings,
  pushContext,
  type StoredConsumer,
} from '../queue/consumer-store.ts'
import { presentConsumer } from '../http/present-consumer.ts'
import type { Db } from '../storage/database.ts'
import { unseal } from '../storage/seal.ts'
import { compareFields, hideField, isSame, type ConfigurationChange } from './configuration-plan.ts'

export type ConsumerEntry = NonNullable<Configuration['consumers']>[string]

/**
 * What a consumer needs to be as its entry says; undefined: nothing.
 * @param sourceNo undefined: of a source that is still to be made
 * @throws MillraceError `validation_failed`
 */
export async function planConsumer(
  db: Db,
  name: string,
  entry: ConsumerEntry,
  known: { before: StoredConsumer | undefined; sourceNo: number | undefined },
  secretKey: Buffer | undefined,
): Promise<ConfigurationChange | undefined> {
  const { before, sourceNo } = known
  await checkConsumer(db, entry, sourceNo, before)
  const headers = entry.push?.headers
  if (!before) {
    const { push, ...given } = entry
    const { headers: _headers, ...shown } = push ?? {}
    const fields = compareFields({}, { ...given, ...(push ? { push: shown } : {}) })
    const secret = headers === undefined ? [] : [hideField('push.headers')]
    return { kind: 'consumer', name, action: 'create', fields: [...fields, ...secret] }
  }
  // What is fixed at creation was held against the stored one; left out it stays.
  const { kind: _kind, start_from: _startFrom, ...after } = fillSettings(entry)
  const fields = compareFields(presentConsumer(before), after)
  if (headers !== undefined && !isSame(headers, readHeaders(before, secretKey))) {
    fields.push(hideField('push.headers'))
  }
  return fields.length === 0 ? undefined : { kind: 'consumer', name, action: 'update', fields }
}

/** Undefined: there are none, or they cannot be opened and are set anew. */
export function readHeaders(
  { id, pushSealed }: StoredConsumer,
  secretKey: Buffer | undefined,
): Record<string, string> | undefined {
  if (pushSealed === null) return undefined
  try {
    return openPushSecrets(pushSealed, (bytes) => unseal(secretKey, bytes, pushContext(id))).headers
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'secret_key_missing') return undefined
    throw error
  }
}
