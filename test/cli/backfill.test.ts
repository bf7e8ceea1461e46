import { describe, expect } from 'vitest'

import { formatProgress } from '../../src/cli/server/backfill.ts'
import { ADMIN_TOKEN } from '../http/api.ts'
import { test as base, CONSUMER } from '../sdk/support/server.ts'
import { runCommand, type CliRun } from '../support/run-cli.ts'

const test = base.extend<{ millrace: (...commandLine: string[]) => Promise<CliRun> }>({
  millrace: async ({ url }, use) => {
    const environment = { MILLRACE_URL: url, MILLRACE_TOKEN: ADMIN_TOKEN }
    await use((...commandLine) => runCommand(environment, ['backfill', ...commandLine]))
  },
})

describe('millrace backfill', () => {
  test('lists, pauses, resumes, cancels, and ends with 1 after what was not done', async ({
    millrace,
    storage,
  }) => {
    const { rows } = await storage.pool.query<{ id: string }>(
      `insert into millrace.backfill (source_no, table_schema, table_name, rows_scanned, rows_read, rows_estimated)
       values (1, 'public', 'orders', 50, 40, 200) returning id`,
    )
    const { id } = rows[0]!
    const list = await millrace('list', '--source', 'shop')
    expect(list.out[0]).toMatch(/^ID +TABLE +FOR +STATE +READ +SCANNED +OF ABOUT +ROWS\/S +ERROR$/)
    expect(list.out[1]).toMatch(/ public\.orders +all +pending +40 +50 +200 +- +-$/)
    expect((await millrace('list', '--consumer', CONSUMER)).out).toHaveLength(1)

    const paused = await millrace('pause', id, '--source', 'shop')
    const resumed = await millrace('resume', id, '--source', 'shop', '--json')
    const cancelled = await millrace('cancel', id, '--source', 'shop')
    const watched = await millrace('watch', id, '--source', 'shop')

    expect(paused).toEqual({ code: 0, out: ['public.orders is paused'], errors: '' })
    expect(JSON.parse(resumed.out[0]!)).toMatchObject({ id, state: 'pending', rows_read: 40 })
    expect(cancelled.out).toEqual(['public.orders is cancelled'])
    expect(watched.out).toEqual([
      expect.stringMatching(/^public\.orders {2}█+░+ {2,4}25 % {2}cancelled, 40 rows read$/),
    ])
    expect([watched.code, watched.errors]).toEqual([1, 'public.orders: cancelled\n'])
    expect((await millrace('resume', id, '--source', 'shop')).code).toBe(1)
    expect((await millrace('pause', id, '--consumer', CONSUMER)).code).toBe(4)
  })

  test('asks for whom, and of a source for which table', async ({ millrace }) => {
    expect((await millrace('start')).code).toBe(2)
    expect((await millrace('list', '--source', 'shop', '--consumer', CONSUMER)).code).toBe(2)
    const { code, errors } = await millrace('start', '--source', 'shop')
    expect([code, errors]).toEqual([2, '--table is missing: schema.table\n'])
  })

  test('is not started on a source that does not answer', async ({ millrace, storage }) => {
    await storage.pool.query('update millrace.source set port = 1')
    const { code, errors } = await millrace('start', '--source', 'shop', '--table', 'public.orders')
    expect([code === 0, errors]).toEqual([false, expect.stringContaining('does not answer')])
    const { rows } = await storage.pool.query('select from millrace.backfill')
    expect(rows).toHaveLength(0)
  })

  test('shows how far it is, however wrong the estimate was', () => {
    const running = {
      table: 'public.orders',
      state: 'running',
      rows_scanned: 6_000,
      rows_read: 5_000,
      rows_estimated: 10_000,
      rows_per_second: 1_234.5,
    } as Parameters<typeof formatProgress>[0]
    expect(formatProgress(running)).toBe(
      `public.orders  ${'█'.repeat(18)}${'░'.repeat(12)}  60 %  6,000 of about 10,000, 1,235 rows/s`,
    )
    expect(formatProgress({ ...running, rows_estimated: 10 })).toContain(
      ' 99 %  6,000 of about 6,000',
    )
    expect(formatProgress({ ...running, state: 'done', rows_estimated: 10_000 })).toMatch(
      /█{30} 100 % {2}done, 5,000/,
    )
  })
})
