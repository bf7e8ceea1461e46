import { BackfillRunner } from '../../src/backfill/backfill-runner.ts'
import type { SourceSettings } from '../../src/capture/source-settings.ts'
import type { LogEntry } from '../../src/log/entry.ts'
import type { Database } from '../../src/storage/database.ts'
import type { ReaderOptions } from '../../src/capture/reader.ts'
import { Capture, until } from '../capture/capture-harness.ts'

/** A reader that does backfills as well. */
export function captureWithBackfills(
  storage: Database,
  source: SourceSettings,
  options: Partial<ReaderOptions> = {},
): Capture {
  return new Capture(storage, source, {
    companion: (handles) => new BackfillRunner(handles, { pollMs: 20 }),
    ...options,
  })
}

interface GivenBackfill {
  table: string
  schema?: string
  consumerNo?: number
  predicate?: string
  fromKey?: string[]
}

/** Asks for a backfill; answers its number. */
export async function givenBackfill(
  storage: Database,
  { sourceNo }: Pick<SourceSettings, 'sourceNo'>,
  { table, schema = 'public', consumerNo, predicate, fromKey }: GivenBackfill,
): Promise<number> {
  const { backfill_no } = await storage.db
    .insertInto('millrace.backfill')
    .values({
      source_no: sourceNo,
      consumer_no: consumerNo ?? null,
      table_schema: schema,
      table_name: table,
      predicate: predicate ?? null,
      from_key: fromKey ?? null,
    })
    .returning('backfill_no')
    .executeTakeFirstOrThrow()
  return backfill_no
}

export async function findBackfill(storage: Database, backfillNo: number) {
  return storage.db
    .selectFrom('millrace.backfill')
    .selectAll()
    .where('backfill_no', '=', backfillNo)
    .executeTakeFirstOrThrow()
}

/** Waits until a backfill has ended, one way or another. */
export async function untilEnded(storage: Database, backfillNo: number) {
  await until(async () =>
    ['done', 'failed', 'cancelled'].includes((await findBackfill(storage, backfillNo)).state),
  )
  return findBackfill(storage, backfillNo)
}

/** The rows that the log leads to, by key: what a consumer holds that applies every entry in order. */
export function applyEntries(entries: readonly LogEntry[]): Map<string, string> {
  const rows = new Map<string, string>()
  for (const { action, key, oldKey, record } of entries) {
    if (action === 'truncate') rows.clear()
    if (key === null) continue
    if (oldKey !== null) rows.delete(oldKey)
    if (action === 'delete') rows.delete(key)
    else rows.set(key, record)
  }
  return rows
}

/** What is stored in the log, in its order. */
export async function readStored(
  storage: Database,
  { sourceNo }: Pick<SourceSettings, 'sourceNo'>,
): Promise<LogEntry[]> {
  const { rows } = await storage.pool.query<{
    seq: string
    action: string
    key: string | null
    old_key: string | null
    record: string
    recipient_no: number | null
    commit_lsn: string
    commit_idx: number
  }>('select * from millrace.log where source_no = $1 order by seq', [sourceNo])
  const actions = { i: 'insert', u: 'update', d: 'delete', r: 'read', t: 'truncate' } as const
  return rows.map(
    (row) =>
      ({
        ...row,
        seq: Number(row.seq),
        action: actions[row.action as keyof typeof actions],
        oldKey: row.old_key,
        recipientNo: row.recipient_no,
        commitLsn: row.commit_lsn,
        commitIdx: row.commit_idx,
      }) as unknown as LogEntry,
  )
}
