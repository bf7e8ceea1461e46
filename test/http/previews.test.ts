import { describe, expect } from 'vitest'

import { ProcessRegistry } from '../../src/process-registry.ts'
import { givenSource, silentLogger } from '../support/given.ts'
import { test } from './api.ts'

const PREVIEW = '/v1/sources/shop/filter/preview'

describe('the preview of a filter', () => {
  test('says which of the newest changes pass, which do not, and which fail', async ({
    storage,
    api,
  }) => {
    const source = await givenSource(storage)
    await source.append([
      { id: 1 },
      { id: 2 },
      { id: 3 },
      { id: 4, table: 'users' },
      { id: 5, action: 'delete' },
    ])
    const { status, body } = await api.call('POST', PREVIEW, {
      tables: ['public.orders'],
      actions: ['insert'],
      filter: '10 / (3 - record.id) > 5',
    })
    expect([status, body.errors]).toEqual([200, []])
    expect(body.data.map((each: any) => [each.record.id, each.outcome])).toEqual([
      [3, 'fails'],
      [2, 'passes'],
      [1, 'filtered'],
    ])
    expect(body.data[0].reason).toContain('line 1, column')
    expect(body).toMatchObject({ passes: 1, filtered: 1, fails: 1 })
  })

  test('without a filter shows the newest changes of the tables', async ({ storage, api }) => {
    const source = await givenSource(storage)
    await source.append([{ id: 1 }, { id: 2 }, { id: 3 }])
    const { body } = await api.call('POST', PREVIEW, { limit: 2 })
    expect(body.data.map((each: any) => each.seq)).toEqual([3, 2])
    expect(body).toMatchObject({ passes: 2, filtered: 0, fails: 0 })
  })

  test('says where a wrong expression is wrong, and tries nothing', async ({ storage, api }) => {
    const source = await givenSource(storage)
    await source.append([{ id: 1 }])
    const { status, body } = await api.call('POST', PREVIEW, { filter: 'record.id >\n > 2' })
    expect(status).toBe(200)
    expect(body.errors).toEqual([
      {
        pointer: '/filter',
        detail: expect.stringContaining('Line 2, column 2'),
        position: { offset: 13, line: 2, column: 2 },
      },
    ])
    expect(body.data).toEqual([])
  })

  test('of a source that is not there is refused', async ({ api }) => {
    expect((await api.call('POST', PREVIEW, {})).status).toBe(404)
  })
})

test('processes are listed with their roles while they live', async ({ storage, api }) => {
  const { pool } = storage
  const id = '00000000-0000-4000-8000-000000000001'
  const registry = new ProcessRegistry({
    pool,
    logger: silentLogger,
    id,
    roles: new Set(['reader', 'api']),
  })
  await registry.start()
  const source = await givenSource(storage)
  await pool.query('insert into millrace.reader (source_no, process_id) values ($1, $2)', [
    source.sourceNo,
    id,
  ])
  const list = () => api.call('GET', '/v1/processes', undefined)

  expect((await list()).body.data).toMatchObject([
    { id, pid: process.pid, roles: ['reader', 'api'], reads: ['shop'] },
  ])
  await registry.stop()
  expect((await list()).body.data).toEqual([])
})
