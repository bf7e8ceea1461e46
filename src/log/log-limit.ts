import type pg from 'pg'

import { dropPartition, listFullPartitions } from './partition.ts'
import { readFloor } from './retention-floor.ts'

/** Changes that had to go although somebody still needed them. */
export interface DroppedUnread {
  readonly source: string
  readonly partition: string
  readonly changes: number
  /** LSNs of the first and the last of them. */
  readonly from: string
  readonly to: string
}

interface Oldest {
  readonly sourceNo: number
  readonly source: string
  readonly name: string
}

const REASON = 'dropped unread: the log had grown beyond MILLRACE_LOG_LIMIT'

/**
 * Drops the oldest partitions of the log, read or not, until all of it fits. What is
 * written to last always stays. What nobody had read yet is counted, and put on
 * record as a gap of its source before it goes.
 */
export async function keepLogWithin(
  pool: pg.Pool,
  limitBytes: number,
): Promise<{ dropped: string[]; unread: DroppedUnread[] }> {
  const dropped: string[] = []
  const unread: DroppedUnread[] = []
  while ((await readLogBytes(pool)) > limitBytes) {
    const oldest = await findOldest(pool)
    if (!oldest) break
    const lost = await recordUnread(pool, oldest)
    if (lost) unread.push(lost)
    await dropPartition(pool, oldest.sourceNo, oldest.name)
    dropped.push(oldest.name)
  }
  return { dropped, unread }
}

/** Of all sources, with indexes and what is stored out of line. */
async function readLogBytes(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ bytes: string }>(
    `select coalesce(sum(pg_total_relation_size(relid)), 0)::text as bytes
     from pg_partition_tree('millrace.log') where isleaf`,
  )
  return Number(rows[0]!.bytes)
}

/** The full partition whose newest change is the oldest. */
async function findOldest(pool: pg.Pool): Promise<Oldest | undefined> {
  const { rows: sources } = await pool.query<{ no: number; name: string }>(
    'select source_no as no, name from millrace.source',
  )
  let oldest: Oldest | undefined
  let oldestAt = Number.POSITIVE_INFINITY
  for (const source of sources) {
    const [first] = await listFullPartitions(pool, source.no)
    if (!first) continue
    const { rows } = await pool.query<{ at: number }>(
      `select extract(epoch from committed_at)::float8 as at
       from millrace.${first.name} order by seq desc limit 1`,
    )
    const at = rows[0]?.at ?? 0
    if (at >= oldestAt) continue
    oldestAt = at
    oldest = { sourceNo: source.no, source: source.name, name: first.name }
  }
  return oldest
}

async function recordUnread(
  pool: pg.Pool,
  { sourceNo, source, name }: Oldest,
): Promise<DroppedUnread | undefined> {
  const floor = await readFloor(pool, sourceNo)
  // Without consumers nobody has a claim on it.
  if (floor === null) return undefined
  const { rows } = await pool.query<{ changes: number; from: string; to: string }>(
    `with lost as (
       select count(*)::int as changes, min(commit_lsn) as first_lsn, max(commit_lsn) as last_lsn
       from millrace.${name} where seq >= $2
     ), shown as (
       select changes, ('0/0'::pg_lsn + first_lsn)::text as "from",
         ('0/0'::pg_lsn + last_lsn)::text as "to"
       from lost where changes > 0
     ), noted as (
       update millrace.reader set gaps = gaps || jsonb_build_array(jsonb_build_object(
         'from', "from", 'to', "to", 'reason', $3::text, 'at', to_jsonb(now() at time zone 'UTC') #>> '{}' || 'Z'))
       from shown where source_no = $1
     )
     select changes, "from", "to" from shown`,
    [sourceNo, floor, REASON],
  )
  const [lost] = rows
  return lost && { source, partition: name, ...lost }
}
