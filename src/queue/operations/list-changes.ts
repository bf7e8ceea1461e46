import { sql } from 'kysely'

import type { Action, LogEntry } from '../../log/entry.ts'
import { formatMicroseconds } from '../../log/envelope.ts'
import { ACTIONS_BY_CODE, readSeqs } from '../../log/read-log.ts'
import { RelationDirectory } from '../../log/relation-directory.ts'
import type { Database, Db } from '../../storage/database.ts'
import type { Consumer } from '../consumer.ts'
import { readConsumer } from '../read-consumer.ts'
import { findCursor } from '../start-cursor.ts'

/** One row of the log as an operator sees it. */
export interface ListedChange {
  seq: number
  action: Action
  tableSchema: string
  tableName: string
  /** The primary key as the inside of a JSON array. */
  key: string | null
  commitTimestamp: string
  commitLsn: string
  commitIdx: number
  /** JSON text, as stored. */
  record: string
  changes: string | null
}

export interface ListChangesOptions {
  table?: string
  key?: string
  from?: Date
  /** Beyond this seq in the direction of the list; undefined: from its beginning. */
  beyondSeq?: number
  newestFirst: boolean
  limit: number
}

interface ChangeRow {
  seq: string
  action: string
  table_schema: string
  table_name: string
  key: string | null
  committed_us: string
  commit_lsn: string
  commit_idx: number
  record: string
  changes: string | null
}

/** Changes of a source, in the order of its log. A key without a table is looked for in all. */
export async function listChanges(
  db: Db,
  sourceNo: number,
  options: ListChangesOptions,
): Promise<ListedChange[]> {
  const { table, key, from, beyondSeq, newestFirst, limit } = options
  const beyond = newestFirst
    ? sql`and log.seq < ${beyondSeq}::bigint`
    : sql`and log.seq > ${beyondSeq}::bigint`
  // The time as a place in the log: the planner has an index for that, and none for times.
  const after = from && (await findCursor(db, sourceNo, { time: from }))
  const { rows } = await sql<ChangeRow>`
    select log.seq::text, action::text, table_schema, table_name, key,
      (extract(epoch from committed_at) * 1000000)::bigint::text as committed_us,
      commit_lsn::text, commit_idx, record, changes
    from millrace.log join millrace.relation using (source_no, relation_no)
    where source_no = ${sourceNo} ${beyondSeq === undefined ? sql`` : beyond}
      ${table === undefined ? sql`` : sql`and table_schema || '.' || table_name = ${table}`}
      ${key === undefined ? sql`` : sql`and key = ${key}`}
      ${after === undefined ? sql`` : sql`and log.seq > ${after}::bigint and committed_at >= ${from}`}
    order by log.seq ${newestFirst ? sql`desc` : sql`asc`}
    limit ${limit}`.execute(db)
  return rows.map((row) => ({
    seq: Number(row.seq),
    action: ACTIONS_BY_CODE[row.action]!,
    tableSchema: row.table_schema,
    tableName: row.table_name,
    key: row.key,
    commitTimestamp: formatMicroseconds(Number(row.committed_us)),
    commitLsn: row.commit_lsn,
    commitIdx: row.commit_idx,
    record: row.record,
    changes: row.changes,
  }))
}

/** One entry of a source's log, whole; undefined: there is none, or no longer. */
export async function findChange(
  database: Database,
  sourceNo: number,
  seq: number,
): Promise<LogEntry | undefined> {
  const relations = new RelationDirectory(database.pool, sourceNo)
  const { entries } = await readSeqs(database.pool, relations, sourceNo, [seq], 1)
  return entries[0]
}

/** The consumers of a source. */
export async function listSourceConsumers(db: Db, sourceNo: number): Promise<Consumer[]> {
  const rows = await db
    .selectFrom('millrace.consumer')
    .selectAll()
    .where('source_no', '=', sourceNo)
    .execute()
  return rows.map(readConsumer)
}
