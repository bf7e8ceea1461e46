// What the webhooks beside this file do with an order: an invoice, once.
import { DatabaseSync } from 'node:sqlite'

import type { PushedMessage } from '@millrace/client'

interface Order {
  id: number
  total_price: number
}

export interface Invoices {
  /** Writes the invoice; false: it was written before. */
  write(message: PushedMessage<Order>): boolean
  close(): void
}

/** Invoices in a file of SQLite. */
export function openInvoices(file: string): Invoices {
  const database = new DatabaseSync(file)
  database.exec(`
    pragma journal_mode = wal;
    create table if not exists invoice (order_id integer primary key, total real not null);
    create table if not exists handled (idempotency_key text primary key) without rowid`)
  const handle = database.prepare('insert into handled values (?) on conflict do nothing')
  const insert = database.prepare('insert into invoice values (?, ?)')

  return {
    write({ record, metadata }) {
      if (record.id === undefined || record.total_price === undefined) return false
      // The key and the effect in one transaction: a crash leaves both or neither.
      database.exec('begin immediate')
      try {
        const isNew = handle.run(metadata.idempotency_key).changes > 0
        if (isNew) insert.run(record.id, record.total_price)
        database.exec('commit')
        return isNew
      } catch (error) {
        database.exec('rollback')
        throw error
      }
    },
    close: () => database.close(),
  }
}
