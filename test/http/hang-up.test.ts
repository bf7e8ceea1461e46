import { once } from 'node:events'
import { connect } from 'node:net'

import { describe, expect } from 'vitest'

import { HttpServer } from '../../src/http/server.ts'
import { moveQueue } from '../../src/queue/operations/move-queue.ts'
import { test as base } from '../support/database.ts'
import { givenConsumer, givenSource, orders, type GivenSource } from '../support/given.ts'
import { startProcess, untilTickWaits, type TestProcess } from '../support/queues.ts'
import type { Consumer } from '../../src/queue/consumer.ts'
import { ADMIN_TOKEN, makeApi } from './api.ts'

interface Shop {
  source: GivenSource
  consumer: Consumer
  process: TestProcess
  /** Of a server that takes calls of the queue straight, and of one that leaves them to Hono. */
  ports: { direct: number; hono: number }
}

const test = base.extend<{ shop_: Shop }>({
  shop_: async ({ storage }, use) => {
    const source = await givenSource(storage)
    const consumer = await givenConsumer(storage, source.sourceNo)
    const process = await startProcess(storage)
    const { app, direct } = makeApi(storage, process.queues)
    const servers = [
      new HttpServer({ app, direct, host: '127.0.0.1', port: 0 }),
      new HttpServer({ app, host: '127.0.0.1', port: 0 }),
    ]
    const [one, two] = await Promise.all(servers.map((server) => server.start()))
    await use({ source, consumer, process, ports: { direct: one!.port, hono: two!.port } })
    process.queues.drain()
    await Promise.all(servers.map((server) => server.stop({ graceMs: 0 })))
    await process.stop()
  },
})

const WAIT_MS = 20_000

/** Sends a receive and reads nothing. */
async function askFor(port: number, batchSize: number) {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  const body = JSON.stringify({ batch_size: batchSize })
  socket.write(
    [
      'POST /v1/consumers/inventory/receive HTTP/1.1',
      'Host: localhost',
      `Authorization: Bearer ${ADMIN_TOKEN}`,
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
      '',
      body,
    ].join('\r\n'),
  )
  return socket
}

describe.for(['direct', 'hono'] as const)('a client of the %s way that hangs up', (way) => {
  test('while its messages are being leased burns no attempt of them', async ({
    storage,
    shop_,
  }) => {
    const { source, consumer, process, ports } = shop_
    await source.append(orders(3))
    // No tick is stored while an operator's change is under way.
    let hungUp = (): void => {}
    const change = moveQueue(storage.db, consumer, async (_trx, position) => {
      await new Promise<void>((resolve) => (hungUp = resolve))
      return { result: null, position }
    })
    const socket = await askFor(ports[way], 3)
    await untilTickWaits(storage)
    socket.destroy()
    // The server knows it when nobody waits any more.
    for (let waiters = 1; waiters > 0;) ({ waiters } = await process.queues.getStats(consumer))
    hungUp()
    await change

    const { messages } = await process.receive(consumer, { waitMs: WAIT_MS })

    expect(messages.map(({ seq, attempt }) => [seq, attempt])).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
    ])
  })

  test('while its answer is being written burns no attempt of its messages', async ({ shop_ }) => {
    const { source, consumer, process, ports } = shop_
    // More than the buffers between two sockets take.
    const text = 'x'.repeat(400_000)
    await source.append(orders(40).map((order) => ({ ...order, record: { text } })))
    const socket = await askFor(ports[way], 40)
    // It reads the beginning, and no more.
    await once(socket, 'readable')
    socket.destroy()

    const attempts: number[] = []
    while (attempts.length < 10) {
      const { messages } = await process.receive(consumer, { waitMs: WAIT_MS, batchSize: 100 })
      attempts.push(...messages.map(({ attempt }) => attempt))
    }

    expect(new Set(attempts)).toEqual(new Set([1]))
  })
})
