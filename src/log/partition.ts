import type pg from 'pg'

/** Sequence numbers a partition holds; a round number, so that its name tells its range. */
export const PARTITION_SEQS = 1_000_000

/** Only one process makes or drops partitions of a source at a time. */
const PARTITION_LOCK = 1297239635

/**
 * Makes sure that the log can take `seq`, and one whole partition beyond it. A table
 * is made on its own and then attached, which waits for no reader or writer.
 * Answers the first seq that there is no place for.
 */
export async function ensureLogPartitions(
  pool: pg.Pool,
  sourceNo: number,
  seq: number,
): Promise<number> {
  const first = Math.floor(seq / PARTITION_SEQS)
  const client = await pool.connect()
  try {
    await client.query('begin')
    await client.query('select pg_advisory_xact_lock($1, $2)', [PARTITION_LOCK, sourceNo])
    const { rows } = await client.query<{ name: string }>(
      `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname = 'millrace' and c.relname = any ($1)`,
      [[sourceLog(sourceNo), partition(sourceNo, first), partition(sourceNo, first + 1)]],
    )
    const existing = new Set(rows.map(({ name }) => name))
    if (!existing.has(sourceLog(sourceNo))) await client.query(sqlSourceLog(sourceNo))
    for (const number of [first, first + 1]) {
      if (existing.has(partition(sourceNo, number))) continue
      await client.query(sqlPartition(sourceNo, number))
    }
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    throw error
  } finally {
    client.release()
  }
  return (first + 2) * PARTITION_SEQS
}

/**
 * Drops the log of a source. Detaching concurrently is what keeps the readers and
 * writers of all other sources running meanwhile. Called again, it goes on.
 */
export async function dropLogPartitions(pool: pg.Pool, sourceNo: number): Promise<void> {
  const table = sourceLog(sourceNo)
  const client = await pool.connect()
  try {
    const { rows } = await client.query<{ pending: boolean }>(
      `select inhdetachpending as pending from pg_inherits
       where inhparent = 'millrace.log'::regclass and inhrelid = to_regclass($1)`,
      [`millrace.${table}`],
    )
    const how = rows[0]?.pending ? 'finalize' : 'concurrently'
    if (rows.length > 0) {
      await client.query(`alter table millrace.log detach partition millrace.${table} ${how}`)
    }
    await client.query(`drop table if exists millrace.${table}`)
  } finally {
    client.release()
  }
}

/** The partitions of a source before the one in use, oldest first; all their seqs are below `before`. */
export async function listFullPartitions(
  pool: pg.Pool,
  sourceNo: number,
): Promise<{ name: string; before: number }[]> {
  const { rows } = await pool.query<{ name: string; next_seq: string | null }>(
    `select class.relname as name, (
       select next_seq::text from millrace.position
       where source_no = $2 order by first_seq desc limit 1
     ) as next_seq
     from pg_inherits join pg_class class on class.oid = inhrelid
     where inhparent = to_regclass($1) and not inhdetachpending`,
    [`millrace.${sourceLog(sourceNo)}`, sourceNo],
  )
  return rows
    .map(({ name, next_seq }) => {
      const before = (Number(name.split('_').at(-1)) + 1) * PARTITION_SEQS
      return { name, before, nextSeq: Number(next_seq ?? 0) }
    })
    .filter(({ before, nextSeq }) => before <= nextSeq)
    .toSorted((a, b) => a.before - b.before)
    .map(({ name, before }) => ({ name, before }))
}

/** Drops one partition, without making readers or writers of the others wait. */
export async function dropPartition(pool: pg.Pool, sourceNo: number, name: string): Promise<void> {
  await pool.query(
    `alter table millrace.${sourceLog(sourceNo)} detach partition millrace.${name} concurrently`,
  )
  await pool.query(`drop table millrace.${name}`)
}

function sourceLog(sourceNo: number): string {
  return `log_${sourceNo}`
}

function partition(sourceNo: number, number: number): string {
  return `log_${sourceNo}_${number}`
}

function sqlSourceLog(sourceNo: number): string {
  const table = sourceLog(sourceNo)
  return `create table millrace.${table} (like millrace.log including defaults including constraints)
      partition by range (seq);
    alter table millrace.log attach partition millrace.${table} for values in (${sourceNo})`
}

function sqlPartition(sourceNo: number, number: number): string {
  const table = partition(sourceNo, number)
  const from = number * PARTITION_SEQS
  const to = from + PARTITION_SEQS
  return `create table millrace.${table} (like millrace.log including defaults including constraints);
    alter table millrace.${sourceLog(sourceNo)} attach partition millrace.${table}
      for values from (${from}) to (${to})`
}
