import { discard, listMessages, redrive, type MessageState } from './messages.ts'

/** Dead or retrying messages by their seqs, or all that are dead. */
export type Batch = { seqs: readonly number[] } | { all: number }

interface Mended {
  done: number
  /** Left as they are: their row has changed since. */
  skipped: number
}

/** What the API takes in one call. */
const SEQS_MAX = 1000
/** More than that is not found one by one: whoever has so many means all of them. */
export const MATCHES_MAX = 10_000

/** The messages that match a filter, the oldest first, at most `MATCHES_MAX`. */
export async function collectSeqs(
  consumer: string,
  query: { state: MessageState; table?: string; key?: string; from?: string },
  signal: AbortSignal,
): Promise<number[]> {
  const seqs: number[] = []
  let cursor: string | undefined
  do {
    const page = await listMessages(consumer, { ...query, limit: SEQS_MAX, cursor }, signal)
    seqs.push(...page.data.map(({ seq }) => seq))
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined && seqs.length < MATCHES_MAX)
  return seqs.slice(0, MATCHES_MAX)
}

/** How many messages a batch has. */
export function sizeOf(batch: Batch): number {
  return 'all' in batch ? batch.all : batch.seqs.length
}

/** Puts messages up again, in as many calls as it takes. */
export async function redriveBatch(
  consumer: string,
  batch: Batch,
  skipSuperseded: boolean,
): Promise<Mended> {
  const mended = { done: 0, skipped: 0 }
  for (const which of callsOf(batch)) {
    const answer = await redrive(consumer, which, skipSuperseded)
    mended.done += answer.redriven
    mended.skipped += which === 'all' ? 0 : answer.skipped
    if (which !== 'all') continue
    // What dies again at once is not put up once more: so many as there were, and no more.
    const isOver = answer.remaining === 0 || answer.redriven === 0
    if (isOver || mended.done >= sizeOf(batch)) {
      return { ...mended, skipped: answer.skipped }
    }
  }
  return mended
}

/** Settles messages undelivered; answers how many. */
export async function discardBatch(consumer: string, batch: Batch): Promise<number> {
  if ('all' in batch) return (await discard(consumer, 'all')).discarded
  let done = 0
  for (const which of slicesOf(batch.seqs)) done += (await discard(consumer, which)).discarded
  return done
}

/** All that are dead are asked for until they are through; the server limits each call. */
function* callsOf(batch: Batch): Generator<'all' | number[]> {
  if ('seqs' in batch) yield* slicesOf(batch.seqs)
  else for (;;) yield 'all'
}

function* slicesOf(seqs: readonly number[]): Generator<number[]> {
  for (let at = 0; at < seqs.length; at += SEQS_MAX) yield seqs.slice(at, at + SEQS_MAX)
}
