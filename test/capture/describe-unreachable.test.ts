import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'

import { expect, test } from 'vitest'

import { connectSource } from '../../src/capture/connect-source.ts'
import { describeUnreachable } from '../../src/capture/describe-unreachable.ts'
import type { SourceConnection } from '../../src/capture/source-settings.ts'
import { findFreePort } from '../support/postgres.ts'

function at(host: string, port: number): SourceConnection {
  return {
    host,
    port,
    database: 'shop',
    user: 'me',
    password: 'hunter22',
    ssl: { mode: 'prefer' },
  }
}

async function explain(connection: SourceConnection): Promise<string> {
  const error: unknown = await connectSource(connection, 'test').then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return describeUnreachable(connection, error)
}

test('says that nothing listens', async () => {
  const port = await findFreePort()

  expect(await explain(at('localhost', port))).toContain(`nothing listens at localhost:${port}`)
})

test('says that there is no such host', async () => {
  expect(await explain(at('shop.invalid', 5432))).toMatch(/^there is no host called shop\.invalid/)
})

test('says that something else than Postgres answers', async () => {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  expect(await explain(at('127.0.0.1', port))).toContain('is not Postgres')

  for (const socket of sockets) socket.destroy()
  server.close()
})

test('says that nobody answers', () => {
  expect(describeUnreachable(at('db', 5432), new Error('timeout expired'))).toContain(
    'db:5432 does not answer',
  )
})
