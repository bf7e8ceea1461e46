import { setTimeout as sleep } from 'node:timers/promises'

import pg from 'pg'
import { describe, expect } from 'vitest'

import type { LogEntry } from '../../src/log/entry.ts'
import { makeSource, until } from '../capture/capture-harness.ts'
import { Random } from '../support/random.ts'
import { test } from '../support/database.ts'
import {
  applyEntries,
  captureWithBackfills,
  findBackfill,
  givenBackfill,
  readStored,
  untilEnded,
} from './harness.ts'

const ROWS = 4_000

/** Changes rows at random until told to stop; commits are asynchronous now and then, or take a while. */
async function write(url: string, seed: number, isOver: () => boolean): Promise<number> {
  const random = new Random(seed)
  const client = new pg.Client(url)
  await client.connect()
  let count = 0
  while (!isOver()) {
    const id = random.between(0, ROWS * 1.2 - 1)
    const other = random.between(0, ROWS * 1.2 - 1)
    await client.query('begin')
    if (random.between(0, 3 - 1) === 0) await client.query('set local synchronous_commit = off')
    const dice = random.between(0, 10 - 1)
    try {
      if (dice < 5) await client.query('update t set version = version + 1 where id = $1', [id])
      else if (dice < 6)
        await client.query('update t set big = $2, version = version + 1 where id = $1', [
          id,
          `b${count}`.repeat(1000),
        ])
      else if (dice < 7) await client.query('delete from t where id = $1', [id])
      else if (dice < 8)
        await client.query(
          'update t set id = $2, version = version + 1, big = big || 1 where id = $1',
          [id, other],
        )
      else
        await client.query(
          `insert into t values ($1, 1, repeat('n', 2000)) on conflict (id) do update set version = t.version + 1`,
          [id],
        )
      if (random.between(0, 20 - 1) === 0) await sleep(random.between(0, 30 - 1))
      await client.query(random.between(0, 8 - 1) === 0 ? 'rollback' : 'commit')
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) throw error
      await client.query('rollback')
    }
    count += 1
  }
  await client.end()
  return count
}

/** What a consumer holds that keeps the columns an update does not bring. */
function applyMerging(entries: readonly LogEntry[]): Map<string, Record<string, unknown>> {
  const rows = new Map<string, Record<string, unknown>>()
  for (const { action, key, oldKey, record } of entries) {
    if (key === null) continue
    const former = rows.get(oldKey ?? key)
    if (oldKey !== null) rows.delete(oldKey)
    if (action === 'delete') rows.delete(key)
    else rows.set(key, { ...(action === 'update' ? former : {}), ...JSON.parse(record) })
  }
  return rows
}

describe('a backfill beside writers', () => {
  test(
    'leaves every consumer with the table as it is, and never shows a row older than before',
    { timeout: 240_000 },
    async ({ storage, shop }) => {
      await shop.query(`create table t (id int primary key, version int, big text);
      alter table t alter column big set storage external;
      insert into t select i, 1, repeat('o', 2000) from generate_series(1, ${ROWS}) i`)
      const source = await makeSource(storage, shop)
      let isOver = false
      const writers = [1, 2, 3].map((seed) => write(shop.url, seed, () => isOver))
      await using capture = captureWithBackfills(storage, source)

      const numbers = []
      for (let round = 0; round < 3; round++) {
        const no = await givenBackfill(storage, source, { table: 't' })
        numbers.push(no)
        await untilEnded(storage, no)
      }
      isOver = true
      const written = (await Promise.all(writers)).reduce((sum, count) => sum + count, 0)
      await shop.query('create table the_end (id int primary key); insert into the_end values (1)')
      await until(() => capture.entries.at(-1)?.relation.table === 'the_end')

      expect(written).toBeGreaterThan(100)
      for (const no of numbers)
        expect(await findBackfill(storage, no)).toMatchObject({ state: 'done' })
      const entries = capture.entries.filter(({ relation }) => relation.table === 't')
      const { rows } = await shop.query<{ id: number }>('select * from t')
      const held = applyMerging(entries)
      expect(held).toEqual(
        new Map(
          rows
            .map((row) => [String(row.id), row] as const)
            .toSorted((a, b) => (a[0] < b[0] ? -1 : 1)),
        ),
      )

      // Versions of a row only grow, whoever tells of them.
      const versions = new Map<string, number>()
      for (const { action, key, oldKey, record, commitLsn } of entries) {
        const { version } = JSON.parse(record) as { version: number }
        if (action === 'insert' || action === 'delete' || oldKey !== null) {
          if (oldKey !== null) versions.delete(oldKey)
          versions.set(key!, action === 'delete' ? 0 : version)
          if (action === 'delete') versions.delete(key!)
          continue
        }
        expect([key, commitLsn, version >= (versions.get(key!) ?? 0)]).toEqual([
          key,
          commitLsn,
          true,
        ])
        versions.set(key!, version)
      }
    },
  )

  test(
    'that is killed and taken over again and again writes each row once',
    { timeout: 240_000 },
    async ({ storage, shop }) => {
      await shop.query(`create table t (id int primary key, version int);
      insert into t select i, 1 from generate_series(1, 20000) i`)
      const source = await makeSource(storage, shop)
      const no = await givenBackfill(storage, source, { table: 't' })
      let takeOvers = 0
      while ((await findBackfill(storage, no)).state !== 'done') {
        const before = Number((await findBackfill(storage, no)).rows_scanned)
        // A new one takes over from one that goes on as if nothing had happened.
        await using former = captureWithBackfills(storage, source)
        await until(async () => {
          const { state, rows_scanned } = await findBackfill(storage, no)
          return state === 'done' || Number(rows_scanned) > before
        })
        await storage.pool.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
         where application_name in ($1, $2)`,
          [`millrace reader ${source.name}`, `millrace backfill ${source.name}`],
        )
        takeOvers += 1
        void former
      }
      const entries = await readStored(storage, source)
      expect(takeOvers).toBeGreaterThan(2)
      expect(entries.map(({ key }) => Number(key))).toEqual(
        Array.from({ length: 20_000 }, (_, i) => i + 1),
      )
      expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, i) => i + 1))
      expect(await findBackfill(storage, no)).toMatchObject({
        rows_read: '20000',
        rows_scanned: '20000',
      })
      expect(applyEntries(entries).size).toBe(20_000)
    },
  )
})
