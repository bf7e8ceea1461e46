// Keeps a cache of orders true: whatever changes the table, whoever does it, the entry goes.
//
//   MILLRACE_TOKEN=… DATABASE_URL=… npx node examples/cache-invalidation.ts
//
// Every process that has a cache needs a consumer of its own; it names it after itself and
// deletes it in the end. A shared cache such as Redis needs one for all.
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import process from 'node:process'

import { createClient, createWorker } from '@millrace/client'
import pg from 'pg'

const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'] })
const client = createClient()
const consumer = `cache-${randomUUID().slice(0, 8)}`
const cache = new Map<string, unknown>()

await client.consumers.create({
  name: consumer,
  source: 'shop',
  tables: ['public.orders'],
  actions: ['update', 'delete'],
  // Only which row it was matters: the values stay where they are.
  columns: { include: ['id'] },
  ordering: 'none',
})

const worker = createWorker<{ id: number }>(client, {
  consumer,
  batchSize: 500,
  handleBatch(messages) {
    for (const { record } of messages) {
      invalidate(String(record.id))
      console.log(`invalidated order ${record.id}`)
    }
  },
})

/** Reads that are under way, and whether the row has changed since they began. */
const reading = new Map<string, { changed: boolean; row: Promise<unknown> }>()

function invalidate(id: string): void {
  cache.delete(id)
  const read = reading.get(id)
  if (read) read.changed = true
}

async function readOrder(id: string): Promise<{ from: string; order: unknown }> {
  if (cache.has(id)) return { from: 'cache', order: cache.get(id) }
  const read = reading.get(id) ?? startReading(id)
  return { from: 'database', order: await read.row }
}

/** What was read before a change must not be stored after it: nothing would take it out again. */
function startReading(id: string) {
  const row = pool
    .query<object>('select id, status from orders where id = $1', [id])
    .then(({ rows }) => {
      if (!read.changed) cache.set(id, rows[0])
      return rows[0]
    })
    .finally(() => reading.delete(id))
  const read = { changed: false, row }
  reading.set(id, read)
  return read
}

const server = createServer((request, response) => {
  const id = /^\/orders\/(\d+)$/.exec(request.url ?? '')?.[1]
  if (id === undefined) return void response.writeHead(404).end()
  readOrder(id).then(
    (answer) => response.end(JSON.stringify(answer)),
    () => response.writeHead(503).end(),
  )
})
server.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1', () => {
  const address = server.address()
  console.log(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/orders/1`)
})

process.once('SIGTERM', () => void worker.stop())
await worker.run()
await client.consumers.delete(consumer)
server.close()
await pool.end()
