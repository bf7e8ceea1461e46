import type pg from 'pg'

import { ACTION_CODES } from '../log/read-log.ts'
import type { SourceLog } from '../log/source-log.ts'
import type { Consumer } from './consumer.ts'
import type { Selection } from './selection/select-changes.ts'

/** The state of all messages, from the storage: true whichever process serves the consumer. */
const COUNTS = `
with position as (
  select cursor_seq, lease_floor from millrace.tick where consumer_no = $1 order by version desc limit 1
), held as (
  select coalesce(sum(cardinality(seqs)), 0) as leased, min(seq) as oldest
  from millrace.lease, position, lateral (select min(each) as seq from unnest(seqs) as each) as first
  where consumer_no = $1 and lease_no >= lease_floor
), aside as (
  select count(*) filter (where state = 'retrying') as retrying,
         count(*) filter (where state = 'waiting') as waiting,
         count(*) filter (where state = 'dead') as dead,
         min(seq) filter (where state in ('retrying', 'waiting')) as oldest
  from millrace.delivery where consumer_no = $1 and state in ('retrying', 'waiting', 'dead')
), ahead as (
  select count(*) as backlog, min(seq) as oldest
  from millrace.log, position
  where source_no = $2 and seq > cursor_seq and (recipient_no is null or recipient_no = $1)
    and ($3::int[] is null or relation_no = any ($3)) and ($4::text[] is null or action::text = any ($4))
)
select leased::text, retrying::text, waiting::text, dead::text, backlog::text,
  (
    select (extract(epoch from millrace.clock() - committed_at) * 1000)::bigint::text
    from millrace.log
    where source_no = $2 and seq = least(held.oldest, aside.oldest, ahead.oldest)
  ) as age_ms
from held, aside, ahead`

interface CountsRow {
  leased: string
  retrying: string
  waiting: string
  dead: string
  backlog: string
  age_ms: string | null
}

export interface QueueCounts {
  /** Selected changes past the cursor; a filter is not looked at. */
  backlog: number
  leased: number
  retrying: number
  waiting: number
  dead: number
  oldestUnackedAgeMs: number | null
}

/** Counts a consumer's messages by state. Walks over the backlog: for people and metrics, not for loops. */
export async function countMessages(
  pool: pg.Pool,
  log: SourceLog,
  consumer: Consumer,
  selection: Selection,
): Promise<QueueCounts> {
  await log.relations.refresh()
  const relations = log.relations.list()
  const wanted = relations.filter((relation) => selection.selectsRelation(relation))
  const { rows } = await pool.query<CountsRow>({
    name: 'count-messages',
    text: COUNTS,
    values: [
      consumer.consumerNo,
      consumer.sourceNo,
      wanted.length === relations.length ? null : wanted.map(({ relationNo }) => relationNo),
      selection.actions.map((action) => ACTION_CODES[action]),
    ],
  })
  const row = rows[0]
  return {
    backlog: Number(row?.backlog ?? 0),
    leased: Number(row?.leased ?? 0),
    retrying: Number(row?.retrying ?? 0),
    waiting: Number(row?.waiting ?? 0),
    dead: Number(row?.dead ?? 0),
    oldestUnackedAgeMs: row?.age_ms == null ? null : Math.max(0, Number(row.age_ms)),
  }
}
