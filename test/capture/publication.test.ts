import { randomBytes } from 'node:crypto'

import { expect } from 'vitest'

import { acceptGap } from '../../src/capture/accept-gap.ts'
import { createSource } from '../../src/capture/create-source.ts'
import { getSourceHealth } from '../../src/capture/source-health.ts'
import { readSourceSettings } from '../../src/capture/source.ts'
import type { SourceSettings } from '../../src/capture/source-settings.ts'
import type { Database } from '../../src/storage/database.ts'
import { test as base, uniqueName } from '../support/database.ts'
import { Capture, connectionOf, QUICK, until, type Shop } from './capture-harness.ts'

const KEYS = { secretKey: randomBytes(32) }
/** Nobody looks at the publication by the clock: only the stream tells of it. */
const TIMING = { ...QUICK, watchMs: 600_000 }

const test = base.extend<{ source: SourceSettings; major: number }>({
  source: async ({ storage, shop }, use) => {
    await shop.query('create table t (id int primary key)')
    const input = { name: uniqueName('s'), connection: connectionOf(shop), tables: ['public.t'] }
    const { sourceNo } = await createSource(storage, input, KEYS)
    await use((await readSourceSettings(storage.db, sourceNo, KEYS.secretKey))!)
  },
  major: async ({ shop }, use) => {
    const { rows } = await shop.query<{ major: number }>(
      `select current_setting('server_version_num')::int / 10000 as major`,
    )
    await use(rows[0]!.major)
  },
})

/** Row 2 falls between the publication and the one that takes its place. */
async function writeAroundPublication(shop: Shop, { publication }: SourceSettings): Promise<void> {
  await shop.query('insert into t values (1)')
  await shop.query(`drop publication "${publication}"`)
  await shop.query('insert into t values (2)')
  await shop.query(`create publication "${publication}" for table t`)
  await shop.query('insert into t values (3)')
}

/** The gap is on record, and lies around row 2. */
async function expectGapOnly(storage: Database, shop: Shop, { source, entries }: Capture) {
  // Seen while it was away, it needs attention for a moment.
  await until(async () => (await getSourceHealth(storage, source.name, KEYS)).state === 'healthy')
  const { gaps } = await getSourceHealth(storage, source.name, KEYS)
  expect(gaps.map(({ open = false }) => open)).toEqual([false])
  const { rows } = await shop.query<{ around: boolean }>(
    `select '0/0'::pg_lsn + $3 <= $1 and $1::pg_lsn < $2::pg_lsn as around`,
    [gaps[0]!.from, gaps[0]!.to, entries[0]!.commitLsn],
  )
  expect(rows).toEqual([{ around: true }])
}

async function isSlotFree(shop: Shop, { slot }: SourceSettings): Promise<boolean> {
  const { rows } = await shop.query<{ active: boolean }>(
    'select active from pg_replication_slots where slot_name = $1',
    [slot],
  )
  return rows[0]?.active === false
}

/** Before Postgres 18 the source does not pass over it by itself: the operator does as they are told. */
async function doAsTold(storage: Database, shop: Shop, capture: Capture): Promise<Capture> {
  const { reader, source } = capture
  await until(() => reader.state === 'needs_attention')
  expect(reader.failure).toMatchObject({
    reason: expect.stringContaining(`publication "${source.publication}" does not exist`),
    remedy: expect.stringContaining('accept-gap'),
  })
  await reader.stop()
  // Postgres hears of it a moment later.
  await until(() => isSlotFree(shop, source))
  await shop.query(reader.failure!.remedy!.split(' -- ')[0]!)
  await acceptGap(storage, source.name, KEYS)
  await shop.query('insert into t values (4)')
  return new Capture(storage, source, { timing: TIMING })
}

test('a publication that was dropped and made again while it was read leaves a gap on record', async ({
  storage,
  shop,
  source,
  major,
}) => {
  await using capture = new Capture(storage, source, { timing: TIMING })
  await until(() => capture.reader.state === 'healthy')
  await writeAroundPublication(shop, source)
  if (major < 18) {
    await using next = await doAsTold(storage, shop, capture)
    await next.waitFor(1)
    await until(() => next.reader.metrics.gaps === 1)
    expect([...capture.entries, ...next.entries].map(({ key }) => key)).toEqual(['1', '4'])
    await expectGapOnly(storage, shop, capture)
    return
  }
  await capture.waitFor(2)
  await until(() => capture.reader.metrics.gaps === 1)
  expect(capture.entries.map(({ key }) => key)).toEqual(['1', '3'])
  await expectGapOnly(storage, shop, capture)
})

test('and so does one that was away while nobody read', async ({
  storage,
  shop,
  source,
  major,
}) => {
  await writeAroundPublication(shop, source)
  await using capture = new Capture(storage, source, { timing: TIMING })
  if (major < 18) {
    await using next = await doAsTold(storage, shop, capture)
    await next.waitFor(1)
    await until(() => next.reader.metrics.gaps === 1)
    expect(next.entries.map(({ key }) => key)).toEqual(['4'])
    return
  }
  await capture.waitFor(2)
  await until(() => capture.reader.metrics.gaps === 1)
  expect(capture.entries.map(({ key }) => key)).toEqual(['1', '3'])
  await expectGapOnly(storage, shop, capture)
})
