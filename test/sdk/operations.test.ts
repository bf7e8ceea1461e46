import { describe, expect } from 'vitest'

import { NetworkError, NotFoundError, ValidationError, createClient } from '../../sdk/src/index.ts'
import { orders } from '../support/given.ts'
import { CONSUMER, test } from './support/server.ts'

const seqsOf = (page: { data: { seq: number }[] }) => page.data.map(({ seq }) => seq)

describe('an operator, with the client,', () => {
  test('looks at messages page by page, and at one', async ({ client, source }) => {
    await source.append(orders(5))
    const { consumers } = client
    const { data } = await client.receive(CONSUMER, { batchSize: 1 })

    const first = await consumers.messages(CONSUMER, { state: 'ahead', limit: 3 })
    const rest = await consumers.messages(CONSUMER, {
      state: 'ahead',
      limit: 3,
      cursor: first.next_cursor!,
    })

    expect([seqsOf(first), seqsOf(rest), rest.next_cursor]).toEqual([[2, 3, 4], [5], null])
    expect(await consumers.message(CONSUMER, 1)).toMatchObject({
      seq: 1,
      record: data[0]?.record,
      consumers: [{ consumer: { name: CONSUMER }, state: 'leased', attempt: 1 }],
    })
    await expect(consumers.message(CONSUMER, 99)).rejects.toThrow(NotFoundError)
    expect((await client.receive(CONSUMER)).data.map(({ delivery }) => delivery.attempt)).toEqual([
      1, 1, 1, 1,
    ])
  })

  test('looks at the log of a source, and at the fan-out of a change', async ({
    client,
    source,
  }) => {
    await source.append(orders(3))

    const newest = await client.sources.changes('shop', { order: 'newest', limit: 2 })

    expect(seqsOf(newest)).toEqual([3, 2])
    expect(seqsOf(await client.sources.changes('shop', { key: '2' }))).toEqual([2])
    expect(await client.sources.change('shop', 2)).toMatchObject({
      record: { id: 2 },
      consumers: [{ consumer: { name: CONSUMER }, state: 'ahead' }],
    })
  })

  test('seeks and replays', async ({ client, source }) => {
    await source.append(orders(4))
    const { data } = await client.receive(CONSUMER)
    const ackIds = data.map(({ ack_id }) => ack_id)
    await client.ack(CONSUMER, ackIds)
    const { consumers } = client

    const counted = await consumers.seek(CONSUMER, { to: { seq: 3 }, dry_run: true })
    expect(counted).toMatchObject({ would_redeliver: 2, dry_run: true })
    expect((await client.receive(CONSUMER, { waitFor: 0 })).data).toEqual([])

    await consumers.seek(CONSUMER, { to: { seq: 4 } })
    const again = await client.receive<{ id: number }>(CONSUMER)
    expect(again.data.map(({ record }) => record.id)).toEqual([4])
    await client.ack(
      CONSUMER,
      again.data.map(({ ack_id }) => ack_id),
    )

    expect(await consumers.replay(CONSUMER, { from: 'earliest', key: 2 })).toMatchObject({
      replay: 1,
    })
    const replayed = await client.receive<{ id: number }>(CONSUMER)
    expect(replayed.data).toMatchObject([{ record: { id: 2 }, delivery: { replay: 1 } }])
  })

  test('redrives, discards and purges', async ({ client, source }) => {
    await source.append(orders(3))
    const { data } = await client.receive(CONSUMER)
    await client.nack(
      CONSUMER,
      data.map(({ ack_id }) => ack_id),
      { deadLetter: true },
    )
    const { consumers } = client

    expect(await consumers.redrive(CONSUMER, { seqs: [1] })).toMatchObject({
      redriven: 1,
      remaining: 2,
    })
    expect(await consumers.discard(CONSUMER, { seqs: [2] })).toEqual({ discarded: 1 })
    expect(seqsOf(await consumers.messages(CONSUMER, { state: 'dead' }))).toEqual([3])
    await expect(consumers.purge(CONSUMER, { confirm: 'shipping' })).rejects.toThrow(
      ValidationError,
    )
    await consumers.purge(CONSUMER, { confirm: CONSUMER })
    expect(await consumers.stats(CONSUMER)).toMatchObject({ backlog: 0, retrying: 0, dead: 0 })
  })
})

describe('a lost answer', () => {
  test.for(['seek', 'replay', 'purge'] as const)(
    'does not make the client %s a second time',
    async (verb) => {
      let sent = 0
      const { consumers } = createClient({
        baseUrl: 'http://millrace.test',
        fetch() {
          sent += 1
          throw new TypeError('fetch failed')
        },
      })
      const calls = {
        seek: () => consumers.seek(CONSUMER, { to: 'latest' }),
        replay: () => consumers.replay(CONSUMER, { from: 'earliest' }),
        purge: () => consumers.purge(CONSUMER, { confirm: CONSUMER }),
      }

      await expect(calls[verb]()).rejects.toThrow(NetworkError)
      expect(sent).toBe(1)
    },
  )
})
