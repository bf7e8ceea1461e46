import { describe, expect } from 'vitest'

import { givenConsumer, givenSource, orders } from '../support/given.ts'
import { test } from './api.ts'

const seqsOf = (body: { data: { seq: number }[] }): number[] => body.data.map(({ seq }) => seq)

describe('the changes of a consumer', () => {
  test('are those it selects, filter included, and none is delivered', async ({ storage, api }) => {
    const source = await givenSource(storage)
    await givenConsumer(storage, source.sourceNo, {
      tables: ['public.orders'],
      actions: ['insert'],
      filter: 'record.id > 2',
    })
    await source.append([
      ...orders(4),
      { id: 5, action: 'update' },
      { id: 6, table: 'items' },
      { id: 7 },
    ])

    const { status, body } = await api.call('GET', '/v1/consumers/inventory/changes')

    expect([status, seqsOf(body)]).toEqual([200, [3, 4, 7]])
    expect(body.data[0]).toMatchObject({ action: 'insert', record: { id: 3 }, commit_lsn: 300 })
    expect(body).toMatchObject({ last_seq: 7, has_more: false })
    const stats = await api.call('GET', '/v1/consumers/inventory/stats')
    expect(stats.body).toMatchObject({ leased: 0, retrying: 0 })
  })

  test('are followed page by page, from now or from a time', async ({ storage, api }) => {
    const source = await givenSource(storage)
    await givenConsumer(storage, source.sourceNo)
    const follow = async (query: string) =>
      (await api.call('GET', `/v1/consumers/inventory/changes?${query}`)).body

    const before = await follow('after=latest')
    expect(before).toEqual({ data: [], last_seq: 0, has_more: false })
    await source.append(orders(5))
    const first = await follow(`after=${before.last_seq}&limit=3`)
    expect([seqsOf(first), first.last_seq, first.has_more]).toEqual([[1, 2, 3], 3, true])
    const second = await follow(`after=${first.last_seq}&limit=3`)
    expect([seqsOf(second), second.last_seq, second.has_more]).toEqual([[4, 5], 5, false])
    expect(await follow('after=latest')).toEqual({ data: [], last_seq: 5, has_more: false })
    expect(seqsOf(await follow('from=2000-01-01T00:00:00Z'))).toEqual([1, 2, 3, 4, 5])
    expect(seqsOf(await follow('from=2100-01-01T00:00:00Z'))).toEqual([])
  })

  test('are looked for in stretches, so that a filter that lets few pass ends', async ({
    storage,
    api,
  }) => {
    const source = await givenSource(storage)
    await givenConsumer(storage, source.sourceNo, { filter: 'record.id == 1500' })
    await source.append(orders(1500))

    const first = await api.call('GET', '/v1/consumers/inventory/changes')
    expect(first.body).toEqual({ data: [], last_seq: 1000, has_more: true })
    const second = await api.call('GET', '/v1/consumers/inventory/changes?after=1000')
    expect([seqsOf(second.body), second.body.has_more]).toEqual([[1500], false])
  })

  test('have the columns that the consumer gets, and no others', async ({ storage, api }) => {
    const source = await givenSource(storage)
    await givenConsumer(storage, source.sourceNo)
    await api.call('PATCH', '/v1/consumers/inventory', { columns: { exclude: ['note'] } })
    await source.append([{ id: 1, record: { note: 'secret' } }])

    const { body } = await api.call('GET', '/v1/consumers/inventory/changes')

    expect(body.data.map(({ record }: { record: object }) => record)).toEqual([{ id: 1 }])
  })

  test.for(['after=-1', 'after=soon', 'limit=0', 'table=orders'])(
    'are refused for %s',
    async (query, { storage, api }) => {
      const source = await givenSource(storage)
      await givenConsumer(storage, source.sourceNo)

      const { status } = await api.call('GET', `/v1/consumers/inventory/changes?${query}`)

      expect(status).toBe(400)
    },
  )
})
