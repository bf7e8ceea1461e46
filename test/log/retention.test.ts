import { describe, expect } from 'vitest'

import { ensureLogPartitions, PARTITION_SEQS } from '../../src/log/partition.ts'
import { keepLogWithin } from '../../src/log/log-limit.ts'
import { dropOldPartitions } from '../../src/log/retention.ts'
import type { Database } from '../../src/storage/database.ts'
import { test } from '../support/database.ts'
import { givenConsumer, moveClock } from '../support/given.ts'
import { seqsOf, startProcess } from '../support/queues.ts'

const HOUR_MS = 3_600_000

/** A source whose log fills two partitions and has begun a third. */
async function givenLongLog(storage: Database): Promise<number> {
  const { rows } = await storage.pool.query<{ source_no: number }>(
    `insert into millrace.source (name, host, port, database, username, slot, publication)
     values ('shop', 'localhost', 5432, 'shop', 'postgres', 'slot', 'publication') returning source_no`,
  )
  const sourceNo = rows[0]!.source_no
  await ensureLogPartitions(storage.pool, sourceNo, 0)
  await ensureLogPartitions(storage.pool, sourceNo, 2 * PARTITION_SEQS)
  await storage.pool.query(
    `insert into millrace.relation (source_no, relation_no, relation_oid, table_schema, table_name, columns, key_columns)
     values ($1, 1, 1, 'public', 'orders', '[]', '{}')`,
    [sourceNo],
  )
  await storage.pool.query(
    `insert into millrace.log (source_no, seq, commit_lsn, commit_idx, committed_at, relation_no, action, size, record)
     select $1, seq, seq, 1, millrace.clock(), 1, 'i', 2, '{}' from unnest($2::bigint[]) as seq`,
    [sourceNo, [1, PARTITION_SEQS - 1, PARTITION_SEQS, 2 * PARTITION_SEQS]],
  )
  await storage.pool.query(
    'insert into millrace.position (source_no, first_seq, next_seq, commit_lsn, commit_idx) values ($1, 1, $2, 1, 1)',
    [sourceNo, 2 * PARTITION_SEQS + 1],
  )
  return sourceNo
}

async function setCursor(storage: Database, consumerNo: number, cursor: number): Promise<void> {
  await storage.pool.query('update millrace.tick set cursor_seq = $2 where consumer_no = $1', [
    consumerNo,
    cursor,
  ])
}

describe('dropOldPartitions', () => {
  test('keeps what a consumer has not read, and drops it once it has', async ({ storage }) => {
    const sourceNo = await givenLongLog(storage)
    const { consumerNo } = await givenConsumer(storage, sourceNo)
    await moveClock(storage, 2 * HOUR_MS)
    const options = { pool: storage.pool, retentionMs: HOUR_MS }

    expect(await dropOldPartitions(options)).toEqual([])
    await setCursor(storage, consumerNo, PARTITION_SEQS + 5)
    expect(await dropOldPartitions(options)).toEqual([`log_${sourceNo}_0`])
    await setCursor(storage, consumerNo, 2 * PARTITION_SEQS)
    // The partition in use stays, whatever was read.
    expect(await dropOldPartitions(options)).toEqual([`log_${sourceNo}_1`])
    expect(await dropOldPartitions(options)).toEqual([])
  })

  test('keeps what is younger than the retention', async ({ storage }) => {
    const sourceNo = await givenLongLog(storage)
    const { consumerNo } = await givenConsumer(storage, sourceNo)
    await setCursor(storage, consumerNo, 2 * PARTITION_SEQS)

    expect(await dropOldPartitions({ pool: storage.pool, retentionMs: HOUR_MS })).toEqual([])
  })

  test('keeps the change of a dead letter', async ({ storage }) => {
    const sourceNo = await givenLongLog(storage)
    const { consumerNo } = await givenConsumer(storage, sourceNo)
    await setCursor(storage, consumerNo, 2 * PARTITION_SEQS)
    await storage.pool.query(
      `insert into millrace.delivery (consumer_no, seq, state, attempt, group_hash, updated_at)
       values ($1, 1, 'dead', 1, 0, now())`,
      [consumerNo],
    )
    await moveClock(storage, 2 * HOUR_MS)

    expect(await dropOldPartitions({ pool: storage.pool, retentionMs: HOUR_MS })).toEqual([])
  })
})

describe('keepLogWithin', () => {
  test('drops nothing while the log fits', async ({ storage }) => {
    const sourceNo = await givenLongLog(storage)
    await givenConsumer(storage, sourceNo)

    expect(await keepLogWithin(storage.pool, 1_000_000_000)).toEqual({ dropped: [], unread: [] })
  })

  test('drops the oldest first, counts what was unread, and puts it on record', async ({
    storage,
  }) => {
    const sourceNo = await givenLongLog(storage)
    await storage.pool.query('insert into millrace.reader (source_no) values ($1)', [sourceNo])
    const { consumerNo } = await givenConsumer(storage, sourceNo)
    await setCursor(storage, consumerNo, 1)

    const { dropped, unread } = await keepLogWithin(storage.pool, 1)

    // What is written to last stays, whatever the limit.
    expect(dropped).toEqual([`log_${sourceNo}_0`, `log_${sourceNo}_1`])
    expect(unread).toEqual([
      {
        source: 'shop',
        partition: `log_${sourceNo}_0`,
        changes: 1,
        from: '0/F423F',
        to: '0/F423F',
      },
      {
        source: 'shop',
        partition: `log_${sourceNo}_1`,
        changes: 1,
        from: '0/F4240',
        to: '0/F4240',
      },
    ])
    const { rows } = await storage.pool.query('select gaps from millrace.reader')
    expect(rows[0].gaps).toMatchObject([{ to: '0/F423F' }, { to: '0/F4240' }])
    expect(new Date(rows[0].gaps[0].at).getTime()).toBeGreaterThan(0)
  })

  test('loses nobody anything that was read', async ({ storage }) => {
    const sourceNo = await givenLongLog(storage)
    const { consumerNo } = await givenConsumer(storage, sourceNo)
    await setCursor(storage, consumerNo, 2 * PARTITION_SEQS - 1)

    expect((await keepLogWithin(storage.pool, 1)).unread).toEqual([])
  })

  test('leaves a consumer that had not read them what is left', async ({ storage }) => {
    const sourceNo = await givenLongLog(storage)
    const consumer = await givenConsumer(storage, sourceNo)
    await keepLogWithin(storage.pool, 1)

    const process = await startProcess(storage)
    expect(seqsOf(await process.receive(consumer, { waitMs: 20_000 }))).toEqual([
      2 * PARTITION_SEQS,
    ])
    await process.stop()
  })
})
