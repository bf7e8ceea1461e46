import type { Database } from '../../src/storage/database.ts'
import { givenConsumer, givenSource } from '../support/given.ts'
import type { Console } from './console.ts'

/** What a browser would run, were it taken for HTML. */
export const SCRIPT =
  '<script>window.wasRun = true</script><img src=x onerror="window.wasRun = true">'

/** Three orders; of each consumer's, one is acked, one is retried and one is dead. */
export async function givenShop(storage: Database, { client }: Console): Promise<void> {
  const source = await givenSource(storage)
  await givenConsumer(storage, source.sourceNo, { name: 'inventory' })
  await givenConsumer(storage, source.sourceNo, { name: 'shipping' })
  await source.append([
    { id: 1, record: { note: SCRIPT, total: 12.5 } },
    { id: 2, record: { note: 'plain' } },
    { id: 3, record: { note: 'plain' } },
  ])
  const { data } = await client.receive('inventory', { worker: SCRIPT })
  const [first, second, third] = data.map(({ ack_id: id }) => id)
  await client.nack('inventory', [first!], { deadLetter: true, reason: SCRIPT })
  await client.nack('inventory', [second!], { delay: '1h', reason: 'not yet' })
  await client.ack('inventory', [third!])
}

/** A source that nobody reads, and of which changes are missing. */
export async function givenTrouble(storage: Database): Promise<void> {
  const { sourceNo } = await givenSource(storage, 'broken')
  // Whoever removes a source reads it no more: its state stays what is written here.
  await storage.pool.query(`update millrace.source set phase = 'removing' where source_no = $1`, [
    sourceNo,
  ])
  const gap = { from: '0/15D3C70', to: '0/2A00000', reason: 'the slot was dropped', at: new Date() }
  await storage.pool.query(
    `insert into millrace.reader (source_no, state, state_reason, state_remedy, gaps)
     values ($1, 'needs_attention', 'the publication is gone',
       'create publication millrace_broken for table orders', $2)`,
    [sourceNo, JSON.stringify([gap])],
  )
}

/** Each kind of page once, of a console where something is going on and something is wrong. */
export const PAGES = [
  '/',
  '/consumers/inventory',
  '/consumers/inventory/dead-letters?message=1',
  '/consumers/inventory/tail',
  '/consumers/inventory/backfills',
  '/consumers/inventory/settings',
  '/consumers/inventory/use',
  '/consumers/new',
  '/sources',
  '/sources/shop',
  '/sources/shop/health',
  '/sources/shop/tables',
  '/sources/shop/backfills',
  '/sources/shop/changes/1',
  '/sources/broken/health',
  '/sources/new',
  '/tail',
  '/tail?consumer=inventory',
  '/tokens',
  '/about',
  '/consumers/nobody',
]
