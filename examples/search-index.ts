// A full-text index of orders that follows the table: here SQLite's, in a file of its own.
//
//   MILLRACE_TOKEN=… npx node examples/search-index.ts orders.sqlite
//   sqlite3 orders.sqlite "select id from orders where orders match 'lane'"
//
// An index wants the newest state of each row, not the way to it. So a message that is older
// than what the index has is passed over: after a replay, or a redelivery.
import process from 'node:process'
import { DatabaseSync } from 'node:sqlite'

import { createClient, createWorker } from '@millrace/client'

interface Order {
  id: number
  shipping_address: string
  status: string
}

const index = new DatabaseSync(process.argv[2] ?? 'orders.sqlite')
index.exec(`
  pragma journal_mode = wal;
  create virtual table if not exists orders using fts5 (id unindexed, shipping_address, status);
  create table if not exists version (id integer primary key, lsn integer not null, idx integer not null)`)

const advance = index.prepare(`
  insert into version values (?, ?, ?)
  on conflict (id) do update set lsn = excluded.lsn, idx = excluded.idx
  where (excluded.lsn, excluded.idx) > (version.lsn, version.idx)`)
const remove = index.prepare('delete from orders where id = ?')
const add = index.prepare('insert into orders values (?, ?, ?)')

const client = createClient()
await client.consumers.put('search-index', {
  source: 'shop',
  tables: ['public.orders'],
  columns: { include: ['id', 'shipping_address', 'status'] },
  start_from: 'earliest',
})

const worker = createWorker<Order>(client, {
  consumer: 'search-index',
  batchSize: 500,
  concurrency: 1,
  handleBatch(messages) {
    // One transaction a batch: half a batch is never seen, and a crash leaves none of it.
    index.exec('begin')
    try {
      for (const { action, record, metadata } of messages) {
        if (record.id === undefined) continue
        const { commit_lsn, commit_idx } = metadata
        if (advance.run(record.id, commit_lsn, commit_idx).changes === 0) continue
        remove.run(record.id)
        if (action !== 'delete')
          add.run(record.id, record.shipping_address ?? '', record.status ?? '')
      }
      index.exec('commit')
    } catch (error) {
      index.exec('rollback')
      throw error
    }
    console.log(`indexed ${messages.length}`)
  },
})

process.once('SIGTERM', () => void worker.stop())
await worker.run()
index.close()
