import type pg from 'pg'

/**
 * The first seq of a source's log that somebody still needs: a consumer that has
 * not read it, or a message that is leased, set aside or dead. Dead letters count:
 * they can be redriven only while their change is there.
 */
const FLOOR = `
select least(
  (select min(newest.cursor_seq) + 1
   from millrace.consumer
   cross join lateral (
     select cursor_seq from millrace.tick
     where tick.consumer_no = consumer.consumer_no order by version desc limit 1
   ) as newest
   where source_no = $1),
  (select min(held.seq) from millrace.consumer
   join millrace.lease using (consumer_no), unnest(seqs) as held (seq) where source_no = $1),
  (select min(seq) from millrace.consumer join millrace.delivery using (consumer_no)
   where source_no = $1 and state in ('waiting', 'retrying', 'leased', 'dead')),
  (select min(cursor_seq) + 1 from millrace.consumer join millrace.replay using (consumer_no)
   where source_no = $1 and finished_at is null)
)::text as floor`

/** Null: the source has no consumers. */
export async function readFloor(pool: pg.Pool, sourceNo: number): Promise<number | null> {
  const { rows } = await pool.query<{ floor: string | null }>(FLOOR, [sourceNo])
  const floor = rows[0]?.floor
  return floor == null ? null : Number(floor)
}
