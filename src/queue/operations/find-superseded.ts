import { sql } from 'kysely'

import type { Db } from '../../storage/database.ts'
import type { Consumer } from '../consumer.ts'

/** Changes that one query walks over: some 300 ms, far from the statement timeout. */
const WALK_MAX = 500_000

/** A message, and whose row it speaks of. */
export interface RowMessage {
  readonly seq: number
  readonly replayNo: number
  /** `schema.table` */
  readonly table: string
  /** The primary key as the inside of a JSON array; null: its table has none. */
  readonly key: string | null
}

/**
 * The seqs of messages whose row has a later change up to `cursor`, whether it was
 * selected or not; one that gave the row another key is one as well. Walks over the
 * log once for all of them: there is no index on keys, as capturing would pay for it.
 */
export async function findSuperseded(
  db: Db,
  consumer: Consumer,
  messages: readonly RowMessage[],
  cursor: number,
): Promise<Set<number>> {
  const oldest = messages.reduce((least, { seq }) => Math.min(least, seq), cursor)
  const keys = [...new Set(messages.flatMap(({ key }) => (key === null ? [] : [key])))]
  const newest = new Map<string, number>()
  for (let after = oldest; after < cursor && keys.length > 0; after += WALK_MAX) {
    const to = Math.min(after + WALK_MAX, cursor)
    const { rows } = await sql<{ row: string; seq: string }>`
      select table_schema || '.' || table_name || ':' || change.key as row, max(seq) as seq
      from (
        select seq, relation_no, key from millrace.log
        where source_no = ${consumer.sourceNo} and seq > ${after}::bigint and seq <= ${to}::bigint
          and key = any (${keys}::text[])
          and (recipient_no is null or recipient_no = ${consumer.consumerNo})
        union all
        select seq, relation_no, old_key from millrace.log
        where source_no = ${consumer.sourceNo} and seq > ${after}::bigint and seq <= ${to}::bigint
          and old_key = any (${keys}::text[])
      ) as change
      join millrace.relation
        on relation.source_no = ${consumer.sourceNo} and relation.relation_no = change.relation_no
      group by 1`.execute(db)
    for (const { row, seq } of rows) newest.set(row, Number(seq))
  }
  return new Set(
    messages
      .filter(({ seq, table, key }) => (newest.get(`${table}:${key}`) ?? 0) > seq)
      .map(({ seq }) => seq),
  )
}
