import { checkSource } from '../capture/check-source.ts'
import { connectSource } from '../capture/connect-source.ts'
import { withDefaults } from '../capture/create-source.ts'
import { expectPassed } from '../capture/expect-passed.ts'
import { readSourceSettings, type Source } from '../capture/source.ts'
import { MillraceError } from '../errors.ts'
import type { Configuration } from '../http/schemas/configuration.ts'
import { toSourceInput, toSourcePatch } from '../http/source-input.ts'
import type { Database } from '../storage/database.ts'
import {
  compareFields,
  hideField,
  type ConfigurationChange,
  type FieldChange,
} from './configuration-plan.ts'

type SourceEntry = NonNullable<Configuration['sources']>[string]

/**
 * What a source needs to be as its entry says; undefined: nothing. A new one, and one
 * that is to be reached in another way, is connected to and checked.
 * @throws MillraceError as creating or changing it would
 */
export async function planSource(
  database: Database,
  name: string,
  entry: SourceEntry,
  before: Source | undefined,
  secretKey: Buffer | undefined,
): Promise<ConfigurationChange | undefined> {
  if (!before) {
    const input = withDefaults(toSourceInput(name, entry))
    expectPassed(await checkSource(input.connection, input))
    const { connection, slot, publication, tables, annotations = {} } = input
    const { password, ...shown } = connection
    const fields = compareFields({}, { ...shown, slot, publication, tables, annotations })
    return {
      kind: 'source',
      name,
      action: 'create',
      fields: [...fields, ...(password === null ? [] : [hideField('password')])],
    }
  }
  const fields = await compareSource(database, before, entry, secretKey)
  return fields.length === 0 ? undefined : { kind: 'source', name, action: 'update', fields }
}

async function compareSource(
  database: Database,
  before: Source,
  entry: SourceEntry,
  secretKey: Buffer | undefined,
): Promise<FieldChange[]> {
  const { connection = {}, ...rest } = toSourcePatch(before, entry)
  const { password, ...shown } = connection
  const fields = compareFields(before, { ...shown, ...rest })
  if (password === undefined) return fields
  return (await isPassword(database, before, password, secretKey))
    ? fields
    : [...fields, hideField('password')]
}

/** One that cannot be opened, as with another key, counts as different: it is set anew. */
async function isPassword(
  database: Database,
  { sourceNo, hasPassword }: Source,
  password: string | null,
  secretKey: Buffer | undefined,
): Promise<boolean> {
  if (!hasPassword) return password === null
  try {
    return (await readSourceSettings(database.db, sourceNo, secretKey))?.password === password
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'secret_key_missing') return false
    throw error
  }
}

/**
 * Looks whether the slot of a source that is to be deleted can be dropped: that is
 * what comes last and cannot be undone.
 * @throws MillraceError `source_unreachable`
 */
export async function expectReachable(
  database: Database,
  { sourceNo, name }: Source,
  secretKey: Buffer | undefined,
): Promise<void> {
  const settings = await readSourceSettings(database.db, sourceNo, secretKey)
  if (!settings) return
  try {
    const { client } = await connectSource(settings, 'millrace check')
    await client.end()
  } catch (error) {
    throw new MillraceError(
      'source_unreachable',
      `Source "${name}" is not in the configuration and cannot be deleted with its slot, because it does not answer. Delete it by itself: millrace sources delete ${name} --no-drop-slot`,
      { cause: error },
    )
  }
}
