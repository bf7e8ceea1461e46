import { readConsumer } from '../../src/queue/read-consumer.ts'
import type { Consumer } from '../../src/queue/consumer.ts'
import type { Database } from '../../src/storage/database.ts'
import type { PushConfig } from '../../src/storage/schema-types.ts'

/** Rounds warm up with a share of their messages; the log must hold those as well. */
const SPARE = 1.3
const RECORD = `json_build_object('id', n, 'customer_id', n % 5000, 'product_id', n % 997,
  'quantity', n % 9 + 1, 'total_price', (n % 100000) / 100.0,
  'shipping_address', n % 900 || ' Main Street, Anytown, USA',
  'comment', repeat('Leave it with the neighbours. ', 6))::text`

/** A source whose log is there already; answers bodies of the size that will be pushed. */
export async function fillLog(database: Database, messages: number): Promise<string[]> {
  const count = Math.ceil(messages * SPARE)
  await database.pool.query(`
    insert into millrace.source (name, host, port, database, username, slot, publication)
      values ('shop', 'localhost', 5432, 'shop', 'postgres', 'none', 'none');
    create table millrace.log_bench partition of millrace.log for values in (1);
    insert into millrace.relation (source_no, relation_no, relation_oid, table_schema, table_name, columns, key_columns)
      values (1, 1, 1, 'public', 'orders', '[{"name":"id","type":"bigint","type_oid":20,"key":true}]', '{id}');
    insert into millrace.log (source_no, seq, commit_lsn, commit_idx, committed_at, relation_no, action, size, key, record)
      select 1, n, n * 100, 1, now(), 1, 'i', 450, n::text, ${RECORD} from generate_series(1, ${count}) as n;
    insert into millrace.position (source_no, first_seq, next_seq, commit_lsn, commit_idx)
      values (1, 1, ${count + 1}, ${count * 100}, 1);
    analyze millrace.log`)
  const { rows } = await database.pool.query<{ record: string }>(
    'select record from millrace.log where source_no = 1 and seq <= 1000 order by seq',
  )
  // Metadata and delivery are about as long for every message.
  const rest = 'x'.repeat(330)
  return rows.map(({ record }) => `{"record":${record},"changes":null,"rest":"${rest}"}`)
}

let consumers = 0

/** A consumer of the first `count` messages of the log. */
export async function createPushConsumer(
  database: Database,
  push: PushConfig,
  count: number,
): Promise<Consumer> {
  const row = await database.db
    .insertInto('millrace.consumer')
    .values({
      name: `bench-${consumers++}`,
      source_no: 1,
      tables: ['*'],
      actions: ['insert'],
      mode: 'push',
      push: JSON.stringify(push),
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  const { rows } = await database.pool.query<{ next: number }>(
    'select max(next_seq)::int as next from millrace.position where source_no = 1',
  )
  await database.db
    .insertInto('millrace.tick')
    .values({
      consumer_no: row.consumer_no,
      version: 1,
      writer: 0,
      cursor_seq: rows[0]!.next - 1 - count,
      lease_floor: 1,
      next_lease_no: 1,
    })
    .execute()
  return readConsumer(row)
}
