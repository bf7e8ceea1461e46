import { expect } from 'vitest'

import { openDatabase } from '../../src/storage/database.ts'
import { test } from '../support/database.ts'

test('a connection that breaks between two statements of whoever holds it ends nothing else', async ({
  storage,
}) => {
  const database = openDatabase(storage.url)
  const client = await database.pool.connect()
  await client.query('begin')
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')

  // An error that nobody listens to would end the process here.
  const ended = new Promise((resolve) => client.once('end', resolve))
  await storage.pool.query('select pg_terminate_backend($1)', [rows[0]!.pid])
  await ended

  await expect(client.query('select 1')).rejects.toThrow(/not queryable|terminat/)
  client.release(true)
  expect((await database.pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  await database.close()
})
