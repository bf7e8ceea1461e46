import type { LogEntry } from '../../log/entry.ts'
import { readSelected } from '../../log/read-log.ts'
import { RelationDirectory } from '../../log/relation-directory.ts'
import type { Database } from '../../storage/database.ts'
import type { Consumer } from '../consumer.ts'
import { compileSelection } from '../selection/select-changes.ts'
import { findCursor } from '../start-cursor.ts'
import { listSelectedRelations } from './count-selected.ts'

/** Entries looked at in one call: a filter that lets few pass must not walk through the whole log. */
const SCAN_MAX = 1000
const SCAN_BYTES_MAX = 8 * 2 ** 20

export interface FollowOptions {
  /** Only behind this seq; `latest`: only what is yet to come. */
  after: number | 'latest'
  /** Committed then or later. */
  from?: Date
  limit: number
}

/** A stretch of the log as a consumer selects it. */
export interface FollowedChanges {
  readonly entries: LogEntry[]
  /** Everything up to here was looked at: where to go on. */
  readonly lastSeq: number
  /** There is more behind it already. */
  readonly hasMore: boolean
}

/**
 * What a consumer selects from the log, filter included, in order and whatever became of
 * it, with the columns that it gets. Nothing is delivered. An entry on which the filter fails counts: it is a dead message.
 */
export async function followConsumer(
  { db, pool }: Database,
  consumer: Consumer,
  { after, from, limit }: FollowOptions,
): Promise<FollowedChanges> {
  const { sourceNo } = consumer
  const head = await findCursor(db, sourceNo, 'latest')
  const earliest = from === undefined ? 0 : await findCursor(db, sourceNo, { time: from })
  const beyond = after === 'latest' ? head : Math.max(after, earliest)
  const selection = compileSelection(consumer)
  const relationNos = await listSelectedRelations(db, consumer)
  const scanned = await readSelected(
    pool,
    new RelationDirectory(pool, sourceNo),
    {
      sourceNo,
      from: beyond + 1,
      before: head + 1,
      entriesMax: SCAN_MAX,
      bytesMax: SCAN_BYTES_MAX,
    },
    { relationNos, actions: selection.actions },
  )
  const found = scanned
    .filter((entry) => selection.matches(entry) !== false)
    .map((entry) => ({ ...entry, ...selection.project(entry) }))
  const entries = found.slice(0, limit)
  if (found.length > limit) return { entries, lastSeq: entries.at(-1)!.seq, hasMore: true }
  // Short of both bounds the log was read to its end.
  const bytes = scanned.reduce((sum, { size }) => sum + size, 0)
  const isCut = scanned.length === SCAN_MAX || bytes >= SCAN_BYTES_MAX
  const lastSeq = isCut ? scanned.at(-1)!.seq : Math.max(head, beyond)
  return { entries, lastSeq, hasMore: isCut }
}
