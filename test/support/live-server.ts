import { randomBytes } from 'node:crypto'

import { createClient, type Client } from '@millrace/client'

import { readConfig } from '../../src/config.ts'
import { startServer } from '../../src/main.ts'
import { test as base, uniqueName } from './database.ts'
import { silentLogger } from './given.ts'

interface LiveServer {
  url: string
  token: string
  client: Client
  /** Captures these tables of `shop`, or all; the source is called `shop`. */
  connectShop(tables?: string[]): Promise<void>
}

/** A whole server in this process, capturing included, on a storage of the test's own. */
export const test = base.extend<{ server: LiveServer }>({
  server: async ({ storage, shop }, use) => {
    const token = randomBytes(12).toString('hex')
    const config = readConfig({
      MILLRACE_STORAGE_URL: storage.url,
      MILLRACE_SECRET_KEY: randomBytes(32).toString('base64'),
      MILLRACE_ADMIN_TOKEN: token,
      MILLRACE_PORT: '0',
      MILLRACE_PUSH_ALLOW: '127.0.0.1/32',
    })
    const server = await startServer(config, silentLogger, { graceMs: 0 })
    const client = createClient({ baseUrl: server.address, token })
    // Slots belong to the whole cluster, which tests share.
    const slot = uniqueName('slot')
    await use({
      url: server.address,
      token,
      client,
      async connectShop(tables) {
        await client.sources.put('shop', {
          url: shop.url,
          slot,
          publication: slot,
          ...(tables ? { tables } : {}),
        })
      },
    })
    await server.stop()
  },
})
