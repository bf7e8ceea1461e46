import { describe, expect } from 'vitest'

import { areInstalled, test } from './shop-of-examples.ts'

const LANGUAGES = [
  { name: 'curl and jq', programs: ['curl', 'jq'], command: ['bash', 'curl-jq/worker.sh'] },
  { name: 'Python', programs: ['python3'], command: ['python3', 'python-stdlib/worker.py'] },
]

for (const { name, programs, command } of LANGUAGES) {
  describe.skipIf(!areInstalled(...programs))(`the worker in ${name}`, () => {
    test('acks what worked, gives back what did not, and stops when told to', async ({
      example,
      server,
      shop,
    }) => {
      await server.client.consumers.put('shipping', {
        source: 'shop',
        tables: ['public.orders'],
        actions: ['insert'],
      })
      const { token } = await server.client.tokens.create({ name: 'worker', scopes: ['consume'] })
      await example.placeOrders(12)
      await shop.query(
        `insert into orders (customer_id, product_id, quantity, total_price, shipping_address)
         values (42, 123, 0, 99.90, '')`,
      )

      const worker = example.run([...command, 'shipping'], { MILLRACE_TOKEN: token })
      const lines = await worker.waitForLines(/^order/, 12)
      const statsOf = async () => {
        const { backlog, dead, retrying } = await server.client.consumers.stats('shipping')
        return { ahead: backlog - retrying, unhandled: dead + retrying }
      }
      await expect.poll(statsOf, { timeout: 120_000 }).toMatchObject({ unhandled: 1 })

      expect(await worker.stop()).toBe(0)
      expect(lines).toHaveLength(12)
      expect(lines[0]).toMatch(/^order 1: (2 pieces|99\.90?)$/)
    })

    test('ends with what the server says of a consumer that is not there', async ({ example }) => {
      const worker = example.run([...command, 'nobody'])

      expect(await worker.ended).toBe(1)
      expect(worker.lines.join('\n')).toContain('There is no consumer')
    })
  })
}
