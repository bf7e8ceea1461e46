import type { Gap } from '../storage/schema-types.ts'
import { formatLsn, parseLsn } from './lsn.ts'
import { saveGaps, type Turn } from './reader-state.ts'

const REASON = 'the publication did not exist'

/**
 * Without the publication Postgres 18 leaves its tables' changes out, also after it was
 * made again: what lies between is a gap. Noted at once, so that it is seen, and once,
 * however often the check fails. Answers all gaps on record, as the others here do.
 */
export async function openPublicationGap(turn: Turn, from: bigint, to: bigint): Promise<Gap[]> {
  const gaps = await readGaps(turn)
  if (gaps.some(isOpen)) return gaps
  return save(turn, [...gaps, { ...newGap(from, to), open: true }])
}

/** The publication is back: the gap ends here. */
export async function closePublicationGap(
  turn: Turn,
  gaps: readonly Gap[],
  to: bigint,
): Promise<readonly Gap[]> {
  if (!gaps.some(isOpen)) return gaps
  return save(
    turn,
    gaps.map((gap) => (isOpen(gap) ? { ...gap, to: formatLsn(to), open: false } : gap)),
  )
}

/**
 * It was gone and is there again. The source says so of each change of a table's shape that
 * it met meanwhile, and once more when it reads the same WAL again: one gap grows of it.
 */
export async function recordPublicationGap(turn: Turn, from: bigint, to: bigint): Promise<Gap[]> {
  const gaps = await readGaps(turn)
  const last = gaps.at(-1)
  const touches = last?.reason === REASON && parseLsn(last.to) >= from
  const gap: Gap = touches
    ? { ...last, from: formatLsn(min(parseLsn(last.from), from)), to: formatLsn(to) }
    : newGap(from, to)
  return save(turn, [...(touches ? gaps.slice(0, -1) : gaps), gap])
}

async function save(turn: Turn, gaps: Gap[]): Promise<Gap[]> {
  await saveGaps(turn, gaps)
  return gaps
}

async function readGaps(turn: Turn): Promise<Gap[]> {
  const { rows } = await turn.pool.query<{ gaps: Gap[] }>(
    'select gaps from millrace.reader where source_no = $1',
    [turn.sourceNo],
  )
  return rows[0]?.gaps ?? []
}

function newGap(from: bigint, to: bigint): Gap {
  const at = new Date().toISOString()
  return { from: formatLsn(from), to: formatLsn(to), reason: REASON, at, open: false }
}

function isOpen(gap: Gap): boolean {
  return gap.reason === REASON && gap.open === true
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
