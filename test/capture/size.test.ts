import { randomBytes } from 'node:crypto'

import { expect } from 'vitest'

import { createSource } from '../../src/capture/create-source.ts'
import { readSourceSettings } from '../../src/capture/source.ts'
import { test, uniqueName } from '../support/database.ts'
import { givenConsumer } from '../support/given.ts'
import { startProcess } from '../support/queues.ts'
import { Capture, connectionOf, makeSource, ORDERS, until } from './capture-harness.ts'

/** `MILLRACE_TEST_FULL_SIZE=1` for what is promised; else a tenth of it or less. */
const FULL = process.env['MILLRACE_TEST_FULL_SIZE'] === '1'
const ROWS = FULL ? 1_000_000 : 50_000
const ROW_BYTES = FULL ? 51_000_000 : 6_000_000
const TABLES = FULL ? 10_000 : 500
const SUBTRANSACTIONS = FULL ? 20_000 : 1_000
const TIME_MAX = FULL ? 600_000 : 60_000

/** Watches the memory of this process while something runs. */
function watchMemory() {
  const before = process.memoryUsage().rss
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage().rss)
  }, 5)
  return {
    [Symbol.dispose]: () => clearInterval(timer),
    /** Bytes above what there was at first. */
    get growth() {
      return most - before
    },
    get summary() {
      return `${Math.round(before / 1e6)} MB at first, at most ${Math.round(most / 1e6)} MB`
    },
  }
}

function report(text: string): void {
  if (FULL) console.info(text)
}

test(
  `a transaction of ${ROWS} rows takes no more memory than a small one`,
  { timeout: TIME_MAX },
  async ({ storage, shop }) => {
    await shop.query(ORDERS)
    const source = await makeSource(storage, shop)
    await shop.query(`insert into orders (shipping_address, quantity)
    select repeat('x', 200), n from generate_series(1, ${ROWS}) n`)
    let seen = 0
    let inOrder = true
    const startedAt = performance.now()
    using memory = watchMemory()
    await using capture = new Capture(storage, source, {
      onAppend: (_sourceNo, entries) => {
        for (const { seq, key } of entries) inOrder &&= seq === ++seen && key === String(seq)
      },
    })
    await until(() => seen >= ROWS)
    const seconds = (performance.now() - startedAt) / 1000
    report(`${ROWS} rows in ${seconds.toFixed(1)} s; ${memory.summary}`)
    expect(inOrder).toBe(true)
    // All rows together are more than 400 bytes each.
    expect(memory.growth).toBeLessThan(300_000_000)
    const { rows } = await storage.pool.query<{ rows: number; lsns: number; last: number }>(
      `select count(*)::int as rows, count(distinct commit_lsn)::int as lsns, max(commit_idx) as last
     from millrace.log where source_no = $1`,
      [source.sourceNo],
    )
    expect(rows[0]).toEqual({ rows: ROWS, lsns: 1, last: ROWS })
    expect(capture.reader.metrics.failures).toBe(0)
  },
)

test(
  `rows of ${ROW_BYTES} bytes go from the source to a client`,
  { timeout: TIME_MAX },
  async ({ storage, shop }) => {
    await shop.query('create table t (id int primary key, s text, b bytea)')
    const source = await makeSource(storage, shop)
    const consumer = await givenConsumer(storage, source.sourceNo)
    await shop.query(`insert into t values (1, repeat('"ü', ${ROW_BYTES / 3}), null)`)
    await shop.query(
      `insert into t values (2, null, convert_to(repeat('b', ${ROW_BYTES}), 'UTF8'))`,
    )
    await shop.query(`insert into t values (3, 'small', null)`)
    using memory = watchMemory()
    const sizes: number[] = []
    let isExact = true
    await using capture = new Capture(storage, source, {
      onAppend: (_sourceNo, entries) => {
        for (const { record, size } of entries) {
          expect(size).toBe(Buffer.byteLength(record))
          sizes.push(size)
        }
      },
    })
    await until(() => sizes.length === 3)
    report(`rows of ${sizes.join(', ')} bytes stored; ${memory.summary}`)
    expect(isExact).toBe(true)
    expect(capture.reader.metrics).toMatchObject({ failures: 0, undecodable: 0 })
    const server = await startProcess(storage)
    try {
      const records: Record<string, unknown>[] = []
      while (records.length < 3) {
        const received = await server.receive(consumer, { waitMs: 5_000 })
        for (const message of received.messages) {
          records.push((JSON.parse(message.toJson()) as { record: Record<string, unknown> }).record)
        }
        await server.ack(consumer, received.messages)
      }
      report(`and received; ${memory.summary}`)
      expect(records.map(({ id }) => id)).toEqual([1, 2, 3])
      expect(records[0]!['s'] === '"ü'.repeat(ROW_BYTES / 3)).toBe(true)
      expect(
        Buffer.from(records[1]!['b'] as string, 'base64').equals(Buffer.alloc(ROW_BYTES, 'b')),
      ).toBe(true)
    } finally {
      await server.stop()
    }
    // The text of a row stands in a few forms at a time, of up to two bytes a character.
    expect(memory.growth).toBeLessThan(200_000_000 + 20 * ROW_BYTES)
  },
)

test(
  `a source of ${TABLES} tables is made, and each of them captured`,
  { timeout: TIME_MAX },
  async ({ storage, shop }) => {
    await shop.query(`do $$ begin for i in 1..${TABLES} loop
    execute format('create table t%s (id int primary key, n int)', i);
    if i % 500 = 0 then commit; end if; end loop; end $$`)
    using memory = watchMemory()
    const startedAt = performance.now()
    const secondsSince = () => ((performance.now() - startedAt) / 1000).toFixed(1)
    const keys = { secretKey: randomBytes(32) }
    const input = { name: uniqueName('s'), connection: connectionOf(shop) }
    const { sourceNo } = await createSource(storage, input, keys)
    report(`the source of ${TABLES} tables was made in ${secondsSince()} s`)
    const settings = (await readSourceSettings(storage.db, sourceNo, keys.secretKey))!
    await shop.query(`do $$ begin for i in 1..${TABLES} loop
    execute format('insert into t%s values (1, %s)', i, i);
    if i % 500 = 0 then commit; end if; end loop; end $$`)
    {
      await using capture = new Capture(storage, settings)
      const entries = await capture.waitFor(TABLES)
      expect(entries.every(({ relation }, index) => relation.table === `t${index + 1}`)).toBe(true)
      expect(new Set(entries.map(({ relation }) => relation.relationNo)).size).toBe(TABLES)
      report(`each captured after ${secondsSince()} s; ${memory.summary}`)
    }
    await shop.query(`update t${TABLES} set n = 0`)
    await using capture = new Capture(storage, settings)
    const [entry] = await capture.waitFor(1)
    expect(entry!.relation.relationNo).toBe(TABLES)
    report(`a restart and one more change: after ${secondsSince()} s; ${memory.summary}`)
  },
)

test(
  `of ${SUBTRANSACTIONS} subtransactions those are kept that were`,
  { timeout: TIME_MAX },
  async ({ storage, shop }) => {
    await shop.query('create table t (id int primary key, n int)')
    const source = await makeSource(storage, shop)
    await using capture = new Capture(storage, source)
    // Every third is rolled back, every seventh row is changed in one nested deeper.
    await shop.query(`do $$ begin
    for i in 1..${SUBTRANSACTIONS} loop
      begin
        insert into t values (i, 0);
        if i % 7 = 0 then
          begin update t set n = 1 where id = i; exception when others then raise; end;
          begin update t set n = 2 where id = i; raise exception 'no'; exception when others then null; end;
        end if;
        if i % 3 = 0 then raise exception 'no'; end if;
      exception when raise_exception then null;
      end;
    end loop; end $$`)
    await shop.query('begin; insert into t values (-1, 0); rollback')
    await shop.query('insert into t values (0, 0)')
    const expected: string[] = []
    for (let id = 1; id <= SUBTRANSACTIONS; id++) {
      if (id % 3 === 0) continue
      expected.push(`insert {"id":${id},"n":0}`)
      if (id % 7 === 0) expected.push(`update {"id":${id},"n":1}`)
    }
    expected.push('insert {"id":0,"n":0}')
    const entries = await capture.waitFor(expected.length)
    expect(entries.map(({ action, record }) => `${action} ${record}`)).toEqual(expected)
    expect(entries.at(-2)!.commitIdx).toBe(expected.length - 1)
    expect(entries.at(-1)!.commitIdx).toBe(1)
  },
)
