import type pg from 'pg'

import { createNotFound } from '../errors.ts'
import type { Database } from '../storage/database.ts'
import type { Gap, ReaderState } from '../storage/schema-types.ts'
import { connectSource } from './connect-source.ts'
import type { SourceKeys } from './create-source.ts'
import { formatLsn, parseLsn } from './lsn.ts'
import { expectSource, readSourceSettings } from './source.ts'
import { readCaptureState } from './verify-source.ts'

/** How capturing from a source goes: what its reader says, and what the slot says. */
export interface SourceHealth {
  readonly state: ReaderState
  readonly reason: string | null
  readonly remedy: string | null
  readonly since: Date
  readonly gaps: readonly Gap[]
  /** What the slot was told when nothing was on its way. */
  readonly confirmedLsn: string | null
  readonly confirmedAt: Date | null
  /** Commit time of the newest change that is stored. */
  readonly lastCommitAt: Date | null
  readonly undecodable: number
  /** Null: the slot is gone, or the source did not answer. */
  readonly slot: SlotHealth | null
}

interface SlotHealth {
  readonly active: boolean
  /** WAL that is not confirmed yet. */
  readonly lagBytes: number
  /** `reserved`, `extended`, `unreserved`, `lost` */
  readonly walStatus: string | null
  /** Bytes of WAL until the slot is lost; null: it is not limited. */
  readonly safeWalSize: number | null
}

/** @throws MillraceError `not_found`, `secret_key_missing` */
export async function getSourceHealth(
  database: Database,
  idOrName: string,
  { secretKey }: SourceKeys,
): Promise<SourceHealth> {
  const source = await expectSource(database.db, idOrName)
  const { rows } = await database.pool.query<Omit<SourceHealth, 'slot'> & { confirmed: string }>(
    `select state, state_reason as reason, state_remedy as remedy, state_at as since, gaps,
       greatest(confirmed_lsn, newest.end_lsn) as confirmed, confirmed_at as "confirmedAt",
       newest.committed_at as "lastCommitAt",
       (select count(*)::int from millrace.undecodable u where u.source_no = r.source_no) as undecodable
     from millrace.reader r
     left join lateral (
       select end_lsn, committed_at from millrace.position p
       where p.source_no = r.source_no order by first_seq desc limit 1) as newest on true
     where r.source_no = $1`,
    [source.sourceNo],
  )
  const row = rows[0]
  if (!row) throw createNotFound('source', idOrName)
  const { confirmed, ...reader } = row
  const lsn = BigInt(confirmed)
  return {
    ...reader,
    confirmedLsn: lsn === 0n ? null : formatLsn(lsn),
    slot: await readSlot(database, source.sourceNo, secretKey),
  }
}

async function readSlot(
  database: Database,
  sourceNo: number,
  secretKey: Buffer | undefined,
): Promise<SlotHealth | null> {
  const settings = await readSourceSettings(database.db, sourceNo, secretKey)
  if (!settings) return null
  let client: pg.Client | undefined
  try {
    client = (await connectSource(settings, 'millrace health')).client
    const { slot, currentLsn } = await readCaptureState(client, settings)
    if (!slot) return null
    const confirmed = parseLsn(slot.confirmedFlushLsn ?? slot.restartLsn ?? currentLsn)
    return {
      active: slot.active,
      lagBytes: Math.max(0, Number(parseLsn(currentLsn) - confirmed)),
      walStatus: slot.walStatus,
      safeWalSize: slot.safeWalSize === null ? null : Number(slot.safeWalSize),
    }
  } catch {
    // Not answering is an answer here; why, the reader's state tells.
    return null
  } finally {
    await client?.end().catch(() => undefined)
  }
}
