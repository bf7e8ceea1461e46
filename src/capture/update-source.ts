import pg from 'pg'

import { MillraceError } from '../errors.ts'
import type { Database } from '../storage/database.ts'
import { seal } from '../storage/seal.ts'
import { checkSource } from './check-source.ts'
import type { SourceKeys } from './create-source.ts'
import { expectPassed } from './expect-passed.ts'
import {
  expectSource,
  findSource,
  notifyConfig,
  passwordContext,
  readSourceSettings,
  type Source,
} from './source.ts'
import type { SourceConnection } from './source-settings.ts'

/** What may change; what is left out stays, the password too. */
export interface SourcePatch {
  readonly name?: string
  readonly connection?: Partial<SourceConnection>
  readonly slot?: string
  readonly publication?: string
  readonly annotations?: Record<string, unknown>
}

/**
 * Changes how a source is reached. Its reader starts anew with the new settings, and
 * finds out by itself whether these lead to the same cluster and slot.
 * @throws MillraceError `not_found`, `source_unreachable`, `source_check_failed`,
 * `name_taken`, `secret_key_missing`
 */
export async function updateSource(
  database: Database,
  idOrName: string,
  patch: SourcePatch,
  { secretKey }: SourceKeys,
): Promise<Source> {
  const source = await expectSource(database.db, idOrName)
  const slot = patch.slot ?? source.slot
  const publication = patch.publication ?? source.publication
  if (patch.connection || patch.slot !== undefined || patch.publication !== undefined) {
    const password =
      patch.connection?.password === undefined
        ? (await readSourceSettings(database.db, source.sourceNo, secretKey))!.password
        : patch.connection.password
    const connection = { ...source, ...patch.connection, password }
    const target = { slot, publication, tables: null, create: false, isOwnSlot: true }
    expectPassed(await checkSource(connection, target))
  }
  await save(database, source, { ...patch, slot, publication }, secretKey)
  await notifyConfig(database.db)
  return (await findSource(database.db, source.id))!
}

async function save(
  database: Database,
  source: Source,
  patch: SourcePatch,
  secretKey: Buffer | undefined,
): Promise<void> {
  const { connection = {} } = patch
  const { password } = connection
  const sealed =
    typeof password === 'string' ? seal(secretKey, password, passwordContext(source.id)) : null
  try {
    await database.db
      .updateTable('millrace.source')
      .set((expression) => ({
        name: patch.name ?? source.name,
        host: connection.host ?? source.host,
        port: connection.port ?? source.port,
        database: connection.database ?? source.database,
        username: connection.user ?? source.user,
        ...(password === undefined ? {} : { password_sealed: sealed }),
        ssl: JSON.stringify(connection.ssl ?? source.ssl),
        slot: patch.slot ?? source.slot,
        publication: patch.publication ?? source.publication,
        annotations: JSON.stringify(patch.annotations ?? source.annotations),
        config_version: expression('config_version', '+', '1'),
        updated_at: new Date(),
      }))
      .where('source_no', '=', source.sourceNo)
      .execute()
  } catch (error) {
    const taken = error instanceof pg.DatabaseError && error.constraint === 'source_name_is_unique'
    if (!taken) throw error
    throw new MillraceError('name_taken', `There is a source "${patch.name}" already.`)
  }
}
