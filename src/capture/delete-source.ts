import type pg from 'pg'

import { createNotFound, MillraceError } from '../errors.ts'
import type { Database } from '../storage/database.ts'
import { connectSource } from './connect-source.ts'
import { removeSource, type SourceKeys } from './create-source.ts'
import { expectSource, notifyConfig, readSourceSettings, type Source } from './source.ts'
import { dropPublication, dropSlot } from './source-objects.ts'

interface DeleteOptions extends SourceKeys {
  /** Default true. False: slot and publication stay, and the slot goes on holding WAL back. */
  readonly dropSlot?: boolean
}

/**
 * Deletes a source, what was captured from it, its slot, and its publication if that
 * was made here. If the slot cannot be dropped the source stays as it was.
 * @throws MillraceError `not_found`, `source_in_use` while it has consumers,
 * `source_unreachable`, `secret_key_missing`
 */
export async function deleteSource(
  database: Database,
  idOrName: string,
  options: DeleteOptions,
): Promise<void> {
  const source = await expectSource(database.db, idOrName)
  await expectNoConsumers(database, source)
  await setPhase(database, source, 'removing')
  try {
    if (options.dropSlot !== false) await dropObjects(database, source, options.secretKey)
    await expectNoConsumers(database, source)
    await removeSource(database, source.sourceNo)
  } catch (error) {
    await setPhase(database, source, source.phase)
    throw error
  }
  await notifyConfig(database.db)
}

async function expectNoConsumers(database: Database, source: Source): Promise<void> {
  const consumers = await database.db
    .selectFrom('millrace.consumer')
    .select('name')
    .where('source_no', '=', source.sourceNo)
    .orderBy('name')
    .limit(10)
    .execute()
  if (consumers.length === 0) return
  const names = consumers.map(({ name }) => name).join(', ')
  throw new MillraceError('source_in_use', `Source "${source.name}" has consumers: ${names}.`)
}

/** Its reader stops, wherever it runs, when it is told that the source is not ready. */
async function setPhase(database: Database, source: Source, phase: Source['phase']): Promise<void> {
  await database.db
    .updateTable('millrace.source')
    .set({ phase })
    .where('source_no', '=', source.sourceNo)
    .execute()
  await notifyConfig(database.db)
}

async function dropObjects(
  database: Database,
  source: Source,
  secretKey: Buffer | undefined,
): Promise<void> {
  const settings = await readSourceSettings(database.db, source.sourceNo, secretKey)
  if (!settings) throw createNotFound('source', source.name)
  let client: pg.Client
  try {
    client = (await connectSource(settings, 'millrace setup')).client
  } catch (error) {
    throw new MillraceError(
      'source_unreachable',
      `The slot "${source.slot}" cannot be dropped, because source "${source.name}" does not answer. Delete it without its slot, and drop that by hand: it holds WAL back.`,
      { cause: error },
    )
  }
  try {
    await dropSlot(client, source.slot)
    if (source.madePublication) await dropPublication(client, source.publication)
  } finally {
    await client.end().catch(() => undefined)
  }
}
