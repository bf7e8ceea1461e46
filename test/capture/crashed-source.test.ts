import { expect } from 'vitest'

import { test } from '../support/database.ts'
import { RestartablePostgres } from '../support/restartable-postgres.ts'
import { run, WatchedSources } from './watched-sources.ts'

test('a source that crashed sends again what was confirmed, and nothing is stored twice', async ({
  storage,
}) => {
  await using postgres = await RestartablePostgres.start()
  const url = postgres.urlOf()
  await run(url, 'create table t (id int primary key)')
  await using sources = new WatchedSources(storage)
  const source = await sources.connect(url)
  const keys = ['1', '2', '3', '4', '5']
  for (const key of keys) await run(url, `insert into t values (${key})`)
  await source.waitForKeys(keys)
  // It writes down what was confirmed at its checkpoints, and there was none.
  await postgres.crash()
  await source.become('retrying')
  await postgres.up()
  await run(url, 'insert into t values (6)')
  await source.waitForKeys([...keys, '6'])
  await source.become('healthy')
  expect(await source.keys()).toEqual([...keys, '6'])
})
