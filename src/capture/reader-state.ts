import type pg from 'pg'

import { NotTheReaderError } from '../log/append.ts'
import type { Gap, ReaderState } from '../storage/schema-types.ts'
import type { CaptureFailure } from './capture-failure.ts'
import type { Position } from './transaction.ts'

/** What a reader begins with: its turn, and how far the ones before it came. */
export interface TakenOver {
  readonly epoch: bigint
  readonly position: Position
  readonly nextSeq: number
  /** What the slot may have been told at most: more is a gap. */
  readonly knownLsn: bigint
  readonly systemIdentifier: string | null
  readonly timeline: number | null
  readonly gaps: readonly Gap[]
}

interface ReaderRow {
  epoch: string
  system_identifier: string | null
  timeline: number | null
  confirmed_lsn: string
  other_cluster_seq: string
  gaps: Gap[]
}

interface PositionRow {
  next_seq: string
  commit_lsn: string
  commit_idx: number
  end_lsn: string
}

/**
 * Becomes the one reader of a source. Raising the epoch waits for a flush of the
 * reader before, and refuses all its later ones; so the position is read after it.
 */
export async function takeOver(
  pool: pg.Pool,
  sourceNo: number,
  processId: string,
): Promise<TakenOver> {
  const readers = await pool.query<ReaderRow>(
    `update millrace.reader set epoch = epoch + 1, process_id = $2 where source_no = $1
     returning epoch, system_identifier, timeline, confirmed_lsn, other_cluster_seq, gaps`,
    [sourceNo, processId],
  )
  const reader = readers.rows[0]
  if (!reader) throw new NotTheReaderError('the source was deleted')
  const positions = await pool.query<PositionRow>(
    `select next_seq, commit_lsn, commit_idx, end_lsn from millrace.position
     where source_no = $1 order by first_seq desc limit 1`,
    [sourceNo],
  )
  const row = positions.rows[0]
  const nextSeq = Number(row?.next_seq ?? 1)
  const counts = row !== undefined && nextSeq > Number(reader.other_cluster_seq)
  const endLsn = counts ? BigInt(row.end_lsn) : 0n
  const confirmedLsn = BigInt(reader.confirmed_lsn)
  return {
    epoch: BigInt(reader.epoch),
    position: counts
      ? { commitLsn: BigInt(row.commit_lsn), commitIdx: row.commit_idx }
      : { commitLsn: 0n, commitIdx: 0 },
    nextSeq,
    knownLsn: endLsn > confirmedLsn ? endLsn : confirmedLsn,
    systemIdentifier: reader.system_identifier,
    timeline: reader.timeline,
    gaps: reader.gaps,
  }
}

/** Whose turn a statement is; one of an earlier turn changes nothing. */
export interface Turn {
  readonly pool: pg.Pool
  readonly sourceNo: number
  readonly epoch: bigint
}

/** @throws NotTheReaderError */
async function updateReader(turn: Turn, set: string, values: unknown[]): Promise<void> {
  const { rowCount } = await turn.pool.query(
    `update millrace.reader set ${set} where source_no = $1 and epoch = $2`,
    [turn.sourceNo, turn.epoch, ...values],
  )
  if (rowCount === 0) throw new NotTheReaderError('another process reads this source')
}

export function saveReaderState(
  turn: Turn,
  state: ReaderState,
  failure: CaptureFailure | null,
): Promise<void> {
  return updateReader(
    turn,
    `state = $3, state_reason = $4, state_remedy = $5,
     state_at = case when state = $3 then state_at else now() end`,
    [state, failure?.reason ?? null, failure?.remedy ?? null],
  )
}

/** Written before the slot is told, so that a slot beyond it is known to be a gap. */
export function saveConfirmed(turn: Turn, lsn: bigint): Promise<void> {
  return updateReader(turn, 'confirmed_lsn = $3, confirmed_at = now()', [lsn])
}

export function saveSystem(
  turn: Turn,
  system: { systemIdentifier: string; timeline: number },
): Promise<void> {
  return updateReader(turn, 'system_identifier = $3, timeline = $4', [
    system.systemIdentifier,
    system.timeline,
  ])
}

export function saveGaps(turn: Turn, gaps: readonly Gap[]): Promise<void> {
  return updateReader(turn, 'gaps = $3', [JSON.stringify(gaps)])
}
