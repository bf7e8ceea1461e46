import type { Action } from '../../src/log/entry.ts'
import type { Database } from '../../src/storage/database.ts'
import type { Consumer } from '../../src/queue/consumer.ts'
import { readConsumer } from '../../src/queue/read-consumer.ts'
import type { Logger } from '../../src/log.ts'

/** A logger that keeps quiet. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
}

export interface GivenSource {
  sourceNo: number
  /** Appends changes to the log, as the reader would; answers the last seq. */
  append(changes: GivenChange[]): Promise<number>
}

export interface GivenChange {
  id: number | string
  table?: string
  action?: Action
  record?: Record<string, unknown>
  oldId?: number | string
}

const ACTION_CODE = { insert: 'i', update: 'u', delete: 'd', read: 'r', truncate: 't' } as const

/** A source whose log is written by the test itself, without any capturing. */
export async function givenSource(storage: Database, name = 'shop'): Promise<GivenSource> {
  const { rows } = await storage.pool.query<{ source_no: number }>(
    `insert into millrace.source (name, host, port, database, username, slot, publication)
     values ($1, 'localhost', 5432, 'shop', 'postgres', 'slot', 'publication') returning source_no`,
    [name],
  )
  const sourceNo = rows[0]!.source_no
  await storage.pool.query(
    `create table millrace.log_test_${sourceNo} partition of millrace.log for values in (${sourceNo})`,
  )
  const tables = new Map<string, number>()
  let nextSeq = 1

  return {
    sourceNo,
    async append(changes) {
      const client = await storage.pool.connect()
      try {
        await client.query('begin')
        const first = nextSeq
        for (const change of changes) {
          const table = change.table ?? 'orders'
          if (!tables.has(table)) {
            const relationNo = tables.size + 1
            tables.set(table, relationNo)
            await client.query(
              `insert into millrace.relation (source_no, relation_no, relation_oid, table_schema, table_name, columns, key_columns)
               values ($1, $2::int, $2::int, 'public', $3, $4, '{id}')`,
              [
                sourceNo,
                relationNo,
                table,
                JSON.stringify([{ name: 'id', type: 'integer', type_oid: 23, key: true }]),
              ],
            )
          }
        }
        await client.query(
          `insert into millrace.log (source_no, seq, commit_lsn, commit_idx, committed_at, relation_no,
             action, size, key, old_key, record, changes)
           select $1, seq, seq * 100, 1, millrace.clock(), relation_no, action::"char", length(record), key, old_key, record, changes
           from jsonb_to_recordset($2) as change (
             seq bigint, relation_no int, action text, key text, old_key text, record text, changes text)`,
          [
            sourceNo,
            JSON.stringify(
              changes.map((change, index) => ({
                seq: first + index,
                relation_no: tables.get(change.table ?? 'orders'),
                action: ACTION_CODE[change.action ?? 'insert'],
                key: JSON.stringify(change.id),
                old_key: change.oldId === undefined ? null : JSON.stringify(change.oldId),
                record: JSON.stringify({ id: change.id, ...change.record }),
                changes: change.action === 'update' ? '{}' : null,
              })),
            ),
          ],
        )
        const last = first + changes.length - 1
        await client.query(
          `insert into millrace.position (source_no, first_seq, next_seq, commit_lsn, commit_idx)
           values ($1, $2, $3, $3, 1)`,
          [sourceNo, first, last + 1],
        )
        await client.query(`select pg_notify('millrace_log', $1)`, [`${sourceNo}:${last}`])
        await client.query('commit')
        nextSeq = last + 1
        return last
      } catch (error) {
        await client.query('rollback')
        throw error
      } finally {
        client.release()
      }
    },
  }
}

/** A consumer of everything in a source, from the beginning of its log. */
export async function givenConsumer(
  storage: Database,
  sourceNo: number,
  settings: Partial<{
    name: string
    tables: string[]
    actions: string[]
    filter: string
    kind: 'changes' | 'rows'
    visibility_timeout_ms: number
    max_in_flight: number
    max_waiting: number
    max_deliveries: number
    ordering: string
    group_by: string[]
  }> = {},
): Promise<Consumer> {
  const row = await storage.db
    .insertInto('millrace.consumer')
    .values({
      name: 'inventory',
      source_no: sourceNo,
      tables: ['*'],
      actions: ['insert', 'update', 'delete'],
      ...(settings as object),
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  await storage.db
    .insertInto('millrace.tick')
    .values({
      consumer_no: row.consumer_no,
      version: 1,
      writer: 0,
      cursor_seq: 0,
      lease_floor: 1,
      next_lease_no: 1,
    })
    .execute()
  return readConsumer(row)
}

/** Orders numbered from `first`. */
export function orders(count: number, first = 1): GivenChange[] {
  return Array.from({ length: count }, (_, index) => ({ id: first + index }))
}

/**
 * Moves the storage's clock, for everybody who uses this storage. Leases end and
 * retries fall due without anybody sleeping.
 */
export async function moveClock(storage: Database, byMs: number): Promise<void> {
  await storage.pool.query(`
    create table if not exists millrace_test_clock (offset_ms bigint not null);
    insert into millrace_test_clock select 0 where not exists (select from millrace_test_clock);
    update millrace_test_clock set offset_ms = offset_ms + ${Math.round(byMs)};
    create or replace function millrace.clock() returns timestamptz language sql volatile
      begin atomic
        select clock_timestamp() + (select offset_ms from millrace_test_clock) * interval '1 millisecond';
      end;
    select pg_notify('millrace_clock', '')`)
}
