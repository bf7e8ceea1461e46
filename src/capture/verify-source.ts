import type pg from 'pg'

import { acceptGapBy, NeedsAttentionError } from './capture-failure.ts'
import { formatLsn, parseLsn } from './lsn.ts'
import type { TakenOver } from './reader-state.ts'
import type { SystemIdentity } from './replication-stream.ts'
import type { SourceSettings } from './source-settings.ts'

/** What the source says of our slot and publication. */
interface SlotState {
  readonly plugin: string | null
  readonly database: string | null
  readonly active: boolean
  readonly walStatus: string | null
  readonly safeWalSize: string | null
  readonly confirmedFlushLsn: string | null
  readonly restartLsn: string | null
  /** In transactions; null: it keeps no rows of the catalogues. */
  readonly catalogXminAge: number | null
}

export interface CaptureState {
  readonly slot: SlotState | null
  readonly publicationExists: boolean
  /** The newest LSN of the server. */
  readonly currentLsn: string
  /** The source's database is also a Millrace storage. */
  readonly holdsStorage: boolean
  readonly serverEncoding: string
}

/** One look at the slot and the publication. */
export async function readCaptureState(
  client: pg.ClientBase,
  { slot, publication }: Pick<SourceSettings, 'slot' | 'publication'>,
): Promise<CaptureState> {
  const { rows } = await client.query<{ state: CaptureState }>(
    `select json_build_object(
       'slot', (
         select json_build_object('plugin', plugin, 'database', database, 'active', active,
           'walStatus', wal_status, 'safeWalSize', safe_wal_size::text,
           'confirmedFlushLsn', confirmed_flush_lsn::text, 'restartLsn', restart_lsn::text,
           'catalogXminAge', age(catalog_xmin))
         from pg_replication_slots where slot_name = $1),
       'publicationExists', exists (select from pg_publication where pubname = $2),
       'currentLsn', case when pg_is_in_recovery() then pg_last_wal_replay_lsn()
                          else pg_current_wal_lsn() end::text,
       'serverEncoding', current_setting('server_encoding'),
       'holdsStorage', to_regclass('millrace.reader') is not null) as state`,
    [slot, publication],
  )
  return rows[0]!.state
}

/** @throws NeedsAttentionError where reading on would pass over changes */
export function verifyCaptureState(
  state: CaptureState,
  source: SourceSettings,
  taken: TakenOver,
): void {
  const { slot } = state
  const create = `select pg_create_logical_replication_slot('${source.slot}', 'pgoutput');`
  if (!slot) {
    throw new NeedsAttentionError(
      `the slot "${source.slot}" is gone, and with it all changes since ${formatLsn(taken.knownLsn)}`,
      `${create} -- then ${acceptGapBy(source)}`,
    )
  }
  if (slot.plugin !== 'pgoutput' || slot.database !== source.database) {
    throw new NeedsAttentionError(
      `the slot "${source.slot}" belongs to ${slot.database ?? 'no database'} and ${slot.plugin ?? 'no plugin'}`,
      `give source "${source.name}" a slot of its own`,
    )
  }
  if (slot.walStatus === 'lost') {
    throw new NeedsAttentionError(
      `the slot "${source.slot}" was invalidated: the source has removed WAL since ${formatLsn(taken.knownLsn)}`,
      `select pg_drop_replication_slot('${source.slot}'); ${create} -- then ${acceptGapBy(source)}`,
    )
  }
  const confirmed = slot.confirmedFlushLsn === null ? 0n : parseLsn(slot.confirmedFlushLsn)
  if (confirmed > taken.knownLsn && !isAccepted(taken, confirmed)) {
    throw new NeedsAttentionError(
      `changes are missing: stored up to ${formatLsn(taken.knownLsn)}, the slot "${source.slot}" begins at ${formatLsn(confirmed)}`,
      `somebody moved or made the slot again, or the storage is an older copy: find out which, then ${acceptGapBy(source)}`,
    )
  }
}

/** Postgres 18 only warns of a missing publication, and drops the changes. */
export function verifyPublication(state: CaptureState, source: SourceSettings): void {
  if (state.publicationExists) return
  throw new NeedsAttentionError(
    `the publication "${source.publication}" does not exist: changes are missed until it does`,
    `create publication "${source.publication}" for table …; -- the tables of source "${source.name}"`,
  )
}

/**
 * An LSN means something on its own cluster and timeline only.
 * @throws NeedsAttentionError
 */
export function verifySystem(
  system: SystemIdentity,
  source: SourceSettings,
  taken: TakenOver,
): void {
  const known = formatLsn(taken.knownLsn)
  if (taken.systemIdentifier !== null && taken.systemIdentifier !== system.systemIdentifier) {
    throw new NeedsAttentionError(
      `another Postgres cluster answers at ${source.host}:${source.port} (system identifier ${system.systemIdentifier}, was ${taken.systemIdentifier})`,
      `point source "${source.name}" back to the right server; if this one has taken its place: ${acceptGapBy(source)}`,
    )
  }
  if (parseLsn(system.lsn) < taken.knownLsn) {
    throw new NeedsAttentionError(
      `the source is at ${system.lsn}, before ${known} that was read from it: it is an older copy`,
      `bring the source up to date, or: ${acceptGapBy(source)}`,
    )
  }
  if (taken.timeline === null || taken.timeline === system.timeline) return
  const branch = branchPoint(system.history, taken.timeline)
  if (branch === null || branch < taken.knownLsn) {
    throw new NeedsAttentionError(
      `the source went over to timeline ${system.timeline} before ${known}: it lacks changes that were read, and has others`,
      acceptGapBy(source),
    )
  }
}

/** Lines of a history file: timeline, LSN of the switch, reason. */
function branchPoint(history: string, timeline: number): bigint | null {
  for (const line of history.split('\n')) {
    const match = /^(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/i.exec(line)
    if (match && Number(match[1]) === timeline) return parseLsn(match[2]!)
  }
  return null
}

function isAccepted(taken: TakenOver, lsn: bigint): boolean {
  return taken.gaps.some((gap) => gap.accepted === true && parseLsn(gap.to) >= lsn)
}
