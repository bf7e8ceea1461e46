import { createNotFound } from '../errors.ts'
import type { Database } from '../storage/database.ts'
import { checkSource } from './check-source.ts'
import type { SourceKeys } from './create-source.ts'
import { expectSource, readSourceSettings, type Source } from './source.ts'
import { fail, pass, type SourceCheck } from './source-check.ts'
import { getSourceHealth } from './source-health.ts'

/**
 * Looks whether a connected source is still as capturing needs it, and what its reader says.
 * @throws MillraceError `not_found`, `secret_key_missing`
 */
export async function checkExistingSource(
  database: Database,
  idOrName: string,
  keys: SourceKeys,
): Promise<SourceCheck[]> {
  const source = await expectSource(database.db, idOrName)
  const settings = await readSourceSettings(database.db, source.sourceNo, keys.secretKey)
  if (!settings) throw createNotFound('source', idOrName)
  const { slot, publication, tables } = source
  const target = { slot, publication, tables, create: false, isOwnSlot: true }
  return [await checkReader(database, source, keys), ...(await checkSource(settings, target))]
}

async function checkReader(
  database: Database,
  source: Source,
  keys: SourceKeys,
): Promise<SourceCheck> {
  const { state, reason, remedy, undecodable } = await getSourceHealth(database, source.id, keys)
  const because = reason === null ? '' : `: ${reason}`
  if (state === 'needs_attention') {
    return fail('reader', `the reader has stopped${because}`, remedy)
  }
  if (state === 'healthy' && undecodable === 0) return pass('reader', 'the reader follows')
  const detail =
    undecodable === 0
      ? `the reader is ${state}${because}`
      : `${undecodable} changes could not be decoded and are kept aside`
  return { name: 'reader', status: 'warn', detail, sql: null }
}
