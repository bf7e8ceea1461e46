import { afterAll, describe, expect } from 'vitest'

import { givenConsumer, givenSource } from '../support/given.ts'
import type { Database } from '../../src/storage/database.ts'
import { closeBrowser, test, type Console } from './console.ts'

afterAll(closeBrowser)

/** Six orders of which `dead` are given up and `retrying` wait for their next try. */
async function givenFailures(
  storage: Database,
  { client }: Console,
  { dead, retrying }: { dead: number[]; retrying: number[] },
): Promise<void> {
  const source = await givenSource(storage)
  await givenConsumer(storage, source.sourceNo, { name: 'inventory' })
  await source.append([1, 2, 3, 4, 5, 6].map((id) => ({ id })))
  const { data } = await client.receive('inventory', { batchSize: 6 })
  const idsOf = (orders: number[]): string[] =>
    data.filter(({ record }) => orders.includes(Number(record['id']))).map(({ ack_id: id }) => id)
  await client.nack('inventory', idsOf(dead), { deadLetter: true, reason: 'no such product' })
  await client.nack('inventory', idsOf(retrying), { delay: '1h', reason: 'not yet' })
}

describe('many messages at once', () => {
  test('are redelivered as far as they match the filter', async ({ storage, web }) => {
    const { page, client } = web
    await givenFailures(storage, web, { dead: [1, 2, 3], retrying: [4, 5, 6] })
    await web.open('/consumers/inventory/dead-letters')
    await page.getByRole('cell', { name: 'no such product' }).nth(2).waitFor()

    await page.getByRole('searchbox', { name: 'Key' }).fill('2')
    await page.getByRole('searchbox', { name: 'Key' }).press('Enter')
    await page.getByRole('cell', { name: 'no such product' }).nth(1).waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Redeliver all that match' }).click()
    await page.getByRole('button', { name: 'Redeliver 1 message' }).click()
    await page.getByText('1 message put up again.').waitFor()
    await page.getByText('No dead letter matches the filter.').waitFor()
    expect(await client.consumers.stats('inventory')).toMatchObject({ dead: 2, retrying: 4 })

    await page.getByRole('searchbox', { name: 'Key' }).fill('')
    await page.getByRole('searchbox', { name: 'Key' }).press('Enter')
    await page.getByRole('button', { name: 'Redeliver all', exact: true }).click()
    await page.getByRole('button', { name: 'Redeliver 2 messages' }).click()
    await page.getByText('2 messages put up again.').waitFor()
    expect(await client.consumers.stats('inventory')).toMatchObject({ dead: 0, retrying: 6 })
    expect(web.faults).toEqual([])
  })

  test('are discarded while they are retried', async ({ storage, web }) => {
    const { page, client } = web
    await givenFailures(storage, web, { dead: [1, 2, 3], retrying: [4, 5, 6] })
    await web.open('/consumers/inventory?state=retrying')
    await page.getByRole('checkbox', { name: 'Choose message 5' }).check()
    await page.getByRole('button', { name: 'Discard 1 message' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Discard 1 message' }).click()
    await page.getByText('1 message discarded.').waitFor()
    await page.getByRole('button', { name: 'Discard all' }).click()
    await page.getByRole('button', { name: 'Discard 2 messages' }).click()
    await page.getByText('2 messages discarded.').waitFor()
    await page.getByText('Nothing to retry').waitFor()
    expect(await client.consumers.stats('inventory')).toMatchObject({ dead: 3, retrying: 0 })
    expect(web.faults).toEqual([])
  })
})
