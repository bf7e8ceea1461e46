import type pg from 'pg'

import type { Action, LogEntry } from './entry.ts'
import type { RelationDirectory } from './relation-directory.ts'

const COLUMNS = `seq::text, commit_lsn::text, commit_idx,
  (extract(epoch from committed_at) * 1000000)::bigint::text, relation_no, action::text, size,
  recipient_no, key, old_key, record, changes, extra`

/** A page by its range. `size` bounds it before any record is read. */
const READ_RANGE = `
select ${COLUMNS} from (
  select *, sum(size) over (order by seq) - size as bytes_before
  from (
    select * from millrace.log
    where source_no = $1 and seq >= $2 and seq < $3
    order by seq limit $4
  ) as range
) as page
where bytes_before < $5 or seq = $2
order by page.seq`

const READ_SELECTED = `
select ${COLUMNS} from (
  select *, sum(size) over (order by seq) - size as bytes_before, row_number() over (order by seq) as place
  from (
    select * from millrace.log
    where source_no = $1 and seq >= $2 and seq < $3
      and relation_no = any ($6) and action::text = any ($7)
    order by seq limit $4
  ) as range
) as page
where bytes_before < $5 or place = 1
order by page.seq`

const READ_SEQS = `
select ${COLUMNS} from (
  select *, sum(size) over (order by seq) - size as bytes_before, row_number() over (order by seq) as place
  from millrace.log where source_no = $1 and seq = any ($2)
) as page
where bytes_before < $3 or place = 1
order by page.seq`

/** Actions by the letters of the log. */
export const ACTIONS_BY_CODE: Record<string, Action> = {
  i: 'insert',
  u: 'update',
  d: 'delete',
  r: 'read',
  t: 'truncate',
}

/** The log's one-letter codes. */
export const ACTION_CODES: Record<Action, string> = {
  insert: 'i',
  update: 'u',
  delete: 'd',
  read: 'r',
  truncate: 't',
}

interface PageOptions {
  sourceNo: number
  /** Inclusive. */
  from: number
  /** Exclusive. */
  before: number
  entriesMax: number
  /** Of records and changes; one entry always fits. */
  bytesMax: number
}

/** Reads entries in the order of the log, at most so many and so much. */
export function readRange(
  pool: pg.Pool,
  relations: RelationDirectory,
  { sourceNo, from, before, entriesMax, bytesMax }: PageOptions,
): Promise<LogEntry[]> {
  return readEntries(pool, relations, {
    name: 'read-range',
    text: READ_RANGE,
    values: [sourceNo, from, before, entriesMax, bytesMax],
  })
}

/** The same, of some tables and actions only. */
export function readSelected(
  pool: pg.Pool,
  relations: RelationDirectory,
  page: PageOptions,
  selection: { relationNos: readonly number[]; actions: readonly Action[] },
): Promise<LogEntry[]> {
  const { sourceNo, from, before, entriesMax, bytesMax } = page
  return readEntries(pool, relations, {
    name: 'read-selected',
    text: READ_SELECTED,
    values: [
      sourceNo,
      from,
      before,
      entriesMax,
      bytesMax,
      selection.relationNos,
      selection.actions.map((action) => ACTION_CODES[action]),
    ],
  })
}

/**
 * Reads single entries, the oldest first until `bytesMax` is reached. Those that
 * the log no longer holds are named in `gone`; the rest is to be asked for again.
 */
export async function readSeqs(
  pool: pg.Pool,
  relations: RelationDirectory,
  sourceNo: number,
  seqs: readonly number[],
  bytesMax: number,
): Promise<{ entries: LogEntry[]; gone: number[] }> {
  const entries = await readEntries(pool, relations, {
    name: 'read-seqs',
    text: READ_SEQS,
    values: [sourceNo, `{${seqs.join(',')}}`, bytesMax],
  })
  const found = new Set(entries.map((entry) => entry.seq))
  const bytes = entries.reduce((sum, entry) => sum + entry.size, 0)
  // Short of the bound, everything that exists was read.
  const readTo = bytes < bytesMax ? Number.MAX_SAFE_INTEGER : (entries.at(-1)?.seq ?? 0)
  return { entries, gone: seqs.filter((seq) => seq <= readTo && !found.has(seq)) }
}

type Row = [
  seq: string,
  commitLsn: string,
  commitIdx: number,
  committedAtUs: string,
  relationNo: number,
  action: string,
  size: number,
  recipientNo: number | null,
  key: string | null,
  oldKey: string | null,
  record: string,
  changes: string | null,
  extra: string | null,
]

async function readEntries(
  pool: pg.Pool,
  relations: RelationDirectory,
  query: { name: string; text: string; values: unknown[] },
): Promise<LogEntry[]> {
  const { rows } = await pool.query<Row>({ ...query, rowMode: 'array' })
  if (rows.some((row) => !relations.get(row[4]))) await relations.refresh()
  let commitLsn = ''
  return rows.map((row): LogEntry => {
    // One text for all entries of a transaction, not one each.
    if (row[1] !== commitLsn) commitLsn = row[1]
    const relation = relations.get(row[4])
    if (!relation) throw new Error(`the log names table shape ${row[4]}, which is not stored`)
    return {
      seq: Number(row[0]),
      commitLsn,
      commitIdx: row[2],
      committedAtUs: Number(row[3]),
      relation,
      action: ACTIONS_BY_CODE[row[5]]!,
      size: row[6],
      recipientNo: row[7],
      key: row[8],
      oldKey: row[9],
      record: row[10],
      changes: row[11],
      extra: row[12],
    }
  })
}
