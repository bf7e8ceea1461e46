import { describe, expect } from 'vitest'

import { patchConsumer } from '../../src/queue/consumer-store.ts'
import { listMessages } from '../../src/queue/operations/list-messages.ts'
import { redriveMessages } from '../../src/queue/operations/redrive.ts'
import { givenConsumer, givenSource } from '../support/given.ts'
import { test } from '../support/queue-process.ts'
import { seqsOf } from '../support/queues.ts'

const WAIT_MS = 20_000

describe('a filter that fails on a message', () => {
  test('sets it aside as dead with the reason, and delivers what follows', async ({
    storage,
    process,
  }) => {
    const source = await givenSource(storage)
    const filter = 'record.total > 10'
    const consumer = await givenConsumer(storage, source.sourceNo, { filter })
    await source.append([
      { id: 1 },
      { id: 1, record: { total: 11 } },
      { id: 2, record: { total: 9 } },
    ])

    expect(seqsOf(await process.receive(consumer, { waitMs: WAIT_MS }))).toEqual([2])
    const dead = await listMessages(storage.db, consumer, { state: 'dead', limit: 10 })
    expect(dead).toMatchObject([{ seq: 1, attempt: 0, reason: expect.stringContaining('total') }])
  })

  test('is asked again when the message is redriven', async ({ storage, process }) => {
    const source = await givenSource(storage)
    const filter = 'record.total > 10'
    const consumer = await givenConsumer(storage, source.sourceNo, { filter })
    await source.append([
      { id: 1, record: { note: 'small', total: null } },
      { id: 2, record: { note: 'large', total: null } },
      { id: 3 },
    ])
    await storage.pool.query(
      `update millrace.relation
       set columns = columns || '[{"name": "note", "type": "text", "type_oid": 25, "key": false}]'`,
    )
    expect((await process.receive(consumer, { waitMs: 0 })).messages).toEqual([])
    const redrive = async (mended: string) => {
      await patchConsumer(storage.db, consumer.id, { filter: mended }, { sealPush: () => null })
      await redriveMessages(storage.db, consumer, 'all', { skipSuperseded: false })
      const received = await process.receive(consumer, { waitMs: WAIT_MS })
      const dead = await listMessages(storage.db, consumer, { state: 'dead', limit: 10 })
      return { received, dead: dead.map(({ seq }) => seq) }
    }

    const { received, dead } = await redrive('record.note == "large"')

    // One is selected, one is not, and one has nothing to be judged by.
    expect(received.messages.map(({ seq, attempt }) => [seq, attempt])).toEqual([[2, 1]])
    expect(dead).toEqual([3])
    // What was delivered before is judged no more: the filter holds from the cursor on.
    await process.settle(consumer, [{ kind: 'dead_letter', ackId: received.messages[0]!.ackId }])
    const again = await redrive('record.id > 2')
    expect(again.received.messages.map(({ seq, attempt }) => [seq, attempt])).toEqual([
      [2, 2],
      [3, 1],
    ])
    expect(again.dead).toEqual([])
  })
})
