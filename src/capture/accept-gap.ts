import { createNotFound, MillraceError } from '../errors.ts'
import type { Database } from '../storage/database.ts'
import type { Gap } from '../storage/schema-types.ts'
import { connectSource } from './connect-source.ts'
import type { SourceKeys } from './create-source.ts'
import { formatLsn, parseLsn } from './lsn.ts'
import { expectSource, notifyConfig, readSourceSettings } from './source.ts'
import { readCaptureState } from './verify-source.ts'

/** What the source says of itself now. */
interface SourceNow {
  readonly slotLsn: bigint
  readonly currentLsn: bigint
  readonly systemIdentifier: string
  readonly timeline: number
}

/**
 * An operator says that what lies between our position and the slot is lost, and that
 * capturing goes on behind it. The gap stays on record. On another cluster, or a
 * timeline that lacks what was read, positions so far say nothing any more.
 * @throws MillraceError `not_found`, `source_unreachable`, `conflict` without a gap or a slot
 */
export async function acceptGap(
  database: Database,
  idOrName: string,
  { secretKey }: SourceKeys,
): Promise<Gap> {
  const source = await expectSource(database.db, idOrName)
  const now = await readNow(database, source.sourceNo, source.name, secretKey)
  return database.db.transaction().execute(async (transaction) => {
    const reader = await transaction
      .selectFrom('millrace.reader')
      .selectAll()
      .where('source_no', '=', source.sourceNo)
      .forUpdate()
      .executeTakeFirstOrThrow()
    const position = await transaction
      .selectFrom('millrace.position')
      .select(['next_seq', 'end_lsn'])
      .where('source_no', '=', source.sourceNo)
      .orderBy('first_seq', 'desc')
      .limit(1)
      .executeTakeFirst()
    const known = maxOf(BigInt(reader.confirmed_lsn), BigInt(position?.end_lsn ?? 0))
    const isOtherCluster =
      now.currentLsn < known ||
      (reader.system_identifier ?? now.systemIdentifier) !== now.systemIdentifier ||
      (reader.timeline ?? now.timeline) !== now.timeline
    if (now.slotLsn <= known && !isOtherCluster) {
      throw new MillraceError('conflict', `Source "${source.name}" has no gap to accept.`)
    }
    const gap: Gap = {
      from: formatLsn(known),
      to: formatLsn(now.slotLsn),
      reason: reader.state_reason ?? 'accepted by an operator',
      at: new Date().toISOString(),
      accepted: true,
    }
    await transaction
      .updateTable('millrace.reader')
      .set({
        gaps: JSON.stringify([...reader.gaps, gap]),
        // Read anew from the slot: whose LSNs these are is found out at the next connection.
        epoch: String(BigInt(reader.epoch) + 1n),
        confirmed_lsn: String(now.slotLsn),
        system_identifier: null,
        timeline: null,
        ...(isOtherCluster && position ? { other_cluster_seq: position.next_seq } : {}),
      })
      .where('source_no', '=', source.sourceNo)
      .execute()
    await transaction
      .updateTable('millrace.source')
      .set((expression) => ({ config_version: expression('config_version', '+', '1') }))
      .where('source_no', '=', source.sourceNo)
      .execute()
    await notifyConfig(transaction)
    return gap
  })
}

async function readNow(
  database: Database,
  sourceNo: number,
  name: string,
  secretKey: Buffer | undefined,
): Promise<SourceNow> {
  const settings = await readSourceSettings(database.db, sourceNo, secretKey)
  if (!settings) throw createNotFound('source', name)
  const { client } = await connectSource(settings, 'millrace setup').catch((error: unknown) => {
    throw new MillraceError('source_unreachable', `Source "${name}" does not answer.`, {
      cause: error,
    })
  })
  try {
    const { slot, currentLsn } = await readCaptureState(client, settings)
    if (!slot?.confirmedFlushLsn) {
      throw new MillraceError('conflict', `Make the slot "${settings.slot}" first.`)
    }
    // The last checkpoint may be older than a promotion; the WAL's own file is not.
    const { rows } = await client.query<{ system: string; timeline: number }>(
      `select (select system_identifier from pg_control_system())::text as system,
         case when pg_is_in_recovery() then (select timeline_id from pg_control_checkpoint())
           else ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int end as timeline`,
    )
    return {
      slotLsn: parseLsn(slot.confirmedFlushLsn),
      currentLsn: parseLsn(currentLsn),
      systemIdentifier: rows[0]!.system,
      timeline: rows[0]!.timeline,
    }
  } finally {
    await client.end().catch(() => undefined)
  }
}

function maxOf(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
