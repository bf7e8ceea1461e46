import { expect } from 'vitest'

import { dropLogPartitions, ensureLogPartitions, PARTITION_SEQS } from '../../src/log/partition.ts'
import type { Database } from '../../src/storage/database.ts'
import { test } from '../support/database.ts'

async function listPartitions(storage: Database): Promise<string[]> {
  const { rows } = await storage.pool.query<{ name: string }>(
    `select relid::regclass::text as name from pg_partition_tree('millrace.log')
     where relid <> 'millrace.log'::regclass order by relid::regclass::text`,
  )
  return rows.map(({ name }) => name)
}

function insertEntry(storage: Database, sourceNo: number, seq: number): Promise<unknown> {
  return storage.pool.query(
    `insert into millrace.log (source_no, seq, commit_lsn, commit_idx, committed_at, relation_no,
       action, size, record) values ($1, $2, 1, 1, now(), 1, 'i', 2, '{}')`,
    [sourceNo, seq],
  )
}

test('there is a partition for the next seq and one beyond, whoever asks how often', async ({
  storage,
}) => {
  const ends = await Promise.all([1, 2, 3].map(() => ensureLogPartitions(storage.pool, 1, 1)))
  expect(ends).toEqual([2, 2, 2].map((count) => count * PARTITION_SEQS))
  expect(await listPartitions(storage)).toEqual([
    'millrace.log_1',
    'millrace.log_1_0',
    'millrace.log_1_1',
  ])
  expect(await ensureLogPartitions(storage.pool, 1, PARTITION_SEQS)).toBe(3 * PARTITION_SEQS)
  for (const seq of [1, PARTITION_SEQS - 1, PARTITION_SEQS, 3 * PARTITION_SEQS - 1]) {
    await insertEntry(storage, 1, seq)
  }
  await expect(insertEntry(storage, 1, 3 * PARTITION_SEQS)).rejects.toThrow(/no partition/)
  await expect(insertEntry(storage, 1, 1)).rejects.toThrow(/duplicate key/)
})

test('a partition is made while others read and write the log', async ({ storage }) => {
  await ensureLogPartitions(storage.pool, 1, 1)
  const busy = await storage.pool.connect()
  await busy.query('begin; select * from millrace.log')
  await busy.query(
    `insert into millrace.log (source_no, seq, commit_lsn, commit_idx, committed_at, relation_no,
       action, size, record) values (1, 1, 1, 1, now(), 1, 'i', 2, '{}')`,
  )
  await ensureLogPartitions(storage.pool, 1, PARTITION_SEQS)
  await ensureLogPartitions(storage.pool, 2, 1)
  await busy.query('commit')
  busy.release()
})

test('dropping the log of a source leaves the others, and may come twice', async ({ storage }) => {
  await ensureLogPartitions(storage.pool, 1, 1)
  await ensureLogPartitions(storage.pool, 2, 1)
  await dropLogPartitions(storage.pool, 1)
  await dropLogPartitions(storage.pool, 1)
  expect(await listPartitions(storage)).toEqual([
    'millrace.log_2',
    'millrace.log_2_0',
    'millrace.log_2_1',
  ])
})
