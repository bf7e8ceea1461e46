import { HttpServer } from '../../../src/http/server.ts'
import { Queues } from '../../../src/queue/queues.ts'
import { createClient, type Client } from '../../../sdk/src/index.ts'
import { ADMIN_TOKEN, makeApi } from '../../http/api.ts'
import { test as base } from '../../support/database.ts'
import { givenConsumer, givenSource, silentLogger, type GivenSource } from '../../support/given.ts'

export const CONSUMER = 'inventory'

/** A server on a free port, a source whose log the test writes, a consumer of it, and a client. */
export const test = base.extend<{ url: string; source: GivenSource; client: Client }>({
  source: async ({ storage }, use) => {
    await use(await givenSource(storage))
  },
  url: async ({ storage, source }, use) => {
    await givenConsumer(storage, source.sourceNo, { name: CONSUMER })
    const queues = new Queues({ database: storage, logger: silentLogger })
    await queues.start()
    const { app, direct } = makeApi(storage, queues)
    const server = new HttpServer({ app, direct, host: '127.0.0.1', port: 0 })
    const { url } = await server.start()
    await use(url)
    const stopped = server.stop({ graceMs: 0 })
    queues.drain()
    await stopped
    await queues.stop()
  },
  client: async ({ url }, use) => {
    await use(createClient({ baseUrl: url, token: ADMIN_TOKEN }))
  },
})
