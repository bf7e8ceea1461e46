// Writes down who changed what, when, from which value to which: exactly once.
//
//   MILLRACE_TOKEN=… AUDIT_URL=postgres://… npx node examples/audit-log.ts
//
// Who: the application says it in its transaction, and it arrives with every change of it:
//   select pg_logical_emit_message(true, 'millrace.annotate', '{"user": "ada"}');
// Old values: those that Postgres sends. For all of them: alter table … replica identity full.
import process from 'node:process'

import { createClient, createWorker } from '@millrace/client'
import pg from 'pg'

const pool = new pg.Pool({ connectionString: process.env['AUDIT_URL'] })
await pool.query(`
  create table if not exists audit_log (
    idempotency_key text primary key,
    committed_at timestamptz not null,
    table_name text not null,
    action text not null,
    record text not null,
    changes text,
    annotations text
  )`)

// Numbers as texts: what is written down is to have all its digits.
const client = createClient({ numbers: 'string' })
await client.consumers.put('audit-log', {
  source: 'shop',
  tables: ['public.*'],
  actions: ['insert', 'update', 'delete', 'truncate'],
  start_from: 'earliest',
})

const worker = createWorker(client, {
  consumer: 'audit-log',
  batchSize: 500,
  concurrency: 1,
  async handleBatch(messages) {
    const rows = messages.map(({ action, record, changes, metadata }) => ({
      idempotency_key: metadata.idempotency_key,
      committed_at: metadata.commit_timestamp,
      table_name: `${metadata.table_schema}.${metadata.table_name}`,
      action,
      record: JSON.stringify(record),
      changes: changes && JSON.stringify(changes),
      annotations:
        metadata.transaction_annotations && JSON.stringify(metadata.transaction_annotations),
    }))
    // A message that comes again is there already: the key makes it once.
    const { rowCount } = await pool.query(
      `insert into audit_log
       select * from jsonb_to_recordset($1) as entry (idempotency_key text, committed_at timestamptz,
         table_name text, action text, record text, changes text, annotations text)
       on conflict do nothing`,
      [JSON.stringify(rows)],
    )
    console.log(`${rowCount} of ${rows.length} written down`)
  },
})

process.once('SIGTERM', () => void worker.stop())
await worker.run()
await pool.end()
