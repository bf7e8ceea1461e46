import { Socket } from 'node:net'

import pg from 'pg'
import { expect } from 'vitest'

import { connectSource } from '../../src/capture/connect-source.ts'
import type { CommitMessage } from '../../src/capture/pgoutput/message.ts'
import { parseMessage } from '../../src/capture/pgoutput/parse-message.ts'
import { ReplicationStream } from '../../src/capture/replication-stream.ts'
import { test, uniqueName } from '../support/database.ts'
import { connectionOf, ORDERS, type Shop } from './capture-harness.ts'

/** Streams until so many commits came, confirms one of them, and closes. */
async function readCommits(
  config: pg.ClientConfig,
  slot: string,
  count: number,
  confirm: (commits: CommitMessage[]) => bigint,
): Promise<CommitMessage[]> {
  const commits: CommitMessage[] = []
  const stream = await new Promise<ReplicationStream>((resolve, reject) => {
    const opened = new ReplicationStream(
      config,
      { slot, publication: slot, encoding: 'UTF8' },
      {
        verify: async () => {},
        onKeepalive: () => {},
        onSkipped: () => {},
        onMessage: (buffer) => {
          const message = parseMessage(buffer)
          if (message.kind === 'commit') commits.push(message)
          if (commits.length === count) resolve(opened)
        },
      },
    )
    opened.start(0n).catch(reject)
  })
  stream.confirm(confirm(commits))
  await stream.stop()
  return commits
}

/** Two transactions whose commit records touch; tried until it works out. */
async function commitSideBySide(shop: Shop): Promise<void> {
  const clients = [new pg.Client(shop.url), new pg.Client(shop.url)]
  for (const client of clients) {
    await client.connect()
    await client.query('set synchronous_commit = off; begin; insert into orders default values')
  }
  await Promise.all(clients.map((client) => client.query('commit')))
  await Promise.all(clients.map((client) => client.end()))
}

test('the second of two adjacent commits is sent again when the first was confirmed', async ({
  shop,
}) => {
  await shop.query(ORDERS)
  const { client, config } = await connectSource(connectionOf(shop), 'test')
  await client.end()
  let adjacent = false
  while (!adjacent) {
    const slot = uniqueName('adjacent')
    await shop.query(`create publication "${slot}" for table orders`)
    await shop.query(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [slot])
    await commitSideBySide(shop)
    const [first, second] = await readCommits(config, slot, 2, (commits) => commits[0]!.endLsn)
    adjacent = first!.endLsn === second!.commitLsn
    const [again] = await readCommits(config, slot, 1, (commits) => commits[0]!.endLsn)
    expect(again).toEqual(second)
    await shop.query('select pg_drop_replication_slot($1)', [slot])
  }
})

test('a source that falls silent is given up', async ({ shop }) => {
  const { client, config } = await connectSource(connectionOf(shop), 'test')
  await client.query(`alter database ${shop.name} set wal_sender_timeout = '900ms'`)
  await client.end()
  const slot = uniqueName('silent')
  await shop.query(`create publication "${slot}" for all tables`)
  await shop.query(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [slot])
  const socket = new Socket()
  const stream = new ReplicationStream(
    { ...config, stream: () => socket },
    { slot, publication: slot, encoding: 'UTF8' },
    { verify: async () => {}, onKeepalive: () => {}, onSkipped: () => {}, onMessage: () => {} },
  )
  await stream.start(0n)
  // What the source still says is lost on the way, as when a cable is pulled.
  socket.removeAllListeners('data')
  await expect(stream.failed).rejects.toThrow(/silent for \d+ ms/)
  await stream.stop()
})
