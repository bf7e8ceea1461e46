import type { Gap } from '../storage/schema-types.ts'
import { saveGaps, type Turn } from './reader-state.ts'

const REASON = 'the publication did not exist'

/**
 * Without the publication Postgres 18 leaves its tables' changes out, in silence, also
 * after it was made again: what lies between is a gap. Noted at once, so that it is
 * seen, and once, however often the check fails.
 */
export async function openPublicationGap(turn: Turn, from: string, to: string): Promise<void> {
  const { rows } = await turn.pool.query<{ gaps: Gap[] }>(
    'select gaps from millrace.reader where source_no = $1',
    [turn.sourceNo],
  )
  const gaps = rows[0]?.gaps ?? []
  if (gaps.some(isOpen)) return
  const gap = { from, to, reason: REASON, at: new Date().toISOString(), open: true }
  await saveGaps(turn, [...gaps, gap])
}

/** The publication is back: the gap ends here. */
export async function closePublicationGap(
  turn: Turn,
  gaps: readonly Gap[],
  to: string,
): Promise<void> {
  if (!gaps.some(isOpen)) return
  await saveGaps(
    turn,
    gaps.map((gap) => (isOpen(gap) ? { ...gap, to, open: false } : gap)),
  )
}

function isOpen(gap: Gap): boolean {
  return gap.reason === REASON && gap.open === true
}
