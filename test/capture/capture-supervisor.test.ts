import { randomBytes, randomUUID } from 'node:crypto'

import { expect } from 'vitest'

import {
  CaptureSupervisor,
  type CaptureSupervisorOptions,
} from '../../src/capture/capture-supervisor.ts'
import { createSource } from '../../src/capture/create-source.ts'
import { deleteSource } from '../../src/capture/delete-source.ts'
import { findSource } from '../../src/capture/source.ts'
import { updateSource } from '../../src/capture/update-source.ts'
import type { Database } from '../../src/storage/database.ts'
import { runAdmin, test, uniqueName } from '../support/database.ts'
import { connectionOf, ORDERS, QUICK, readLog, silent, until } from './capture-harness.ts'

const keys = { secretKey: randomBytes(32) }

class Supervised extends CaptureSupervisor implements AsyncDisposable {
  constructor(storage: Database, options: Partial<CaptureSupervisorOptions> = {}) {
    super({
      storage,
      ...keys,
      processId: randomUUID(),
      log: silent,
      timing: QUICK,
      pollMs: 50,
      onAppend: () => {},
      ...options,
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

test('of two processes one reads, and the other takes over when it goes', async ({
  storage,
  shop,
}) => {
  await shop.query(ORDERS)
  const name = uniqueName('s')
  const source = await createSource(storage, { name, connection: connectionOf(shop) }, keys)
  const settings = { ...source, password: null }
  const first = new Supervised(storage)
  await first.start()
  await using second = new Supervised(storage)
  await second.start()
  await until(() => first.report(source.sourceNo)?.state === 'healthy')
  expect(second.reports()).toEqual([])

  await shop.query('insert into orders default values')
  await until(async () => (await readLog(storage, settings)).length === 1)
  await first.stop()
  await shop.query('insert into orders default values')
  await until(async () => (await readLog(storage, settings)).length === 2)
  expect(second.report(source.sourceNo)?.state).toBe('healthy')
})

test('a process that loses its locks stops reading, and nothing is stored twice', async ({
  storage,
  shop,
}) => {
  await shop.query(ORDERS)
  const name = uniqueName('s')
  const source = await createSource(storage, { name, connection: connectionOf(shop) }, keys)
  const settings = { ...source, password: null }
  await using first = new Supervised(storage)
  await first.start()
  await until(() => first.report(source.sourceNo)?.state === 'healthy')
  await using second = new Supervised(storage)
  await second.start()
  for (let round = 1; round <= 4; round++) {
    await runAdmin(`select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'millrace locks'
        and datname = '${new URL(storage.url).pathname.slice(1)}'
        and pid in (select pid from pg_locks where locktype = 'advisory')`)
    await shop.query('insert into orders default values')
    await until(async () => (await readLog(storage, settings)).length === round)
  }
  expect((await readLog(storage, settings)).map(({ key }) => key)).toEqual(['1', '2', '3', '4'])
})

test('follows sources as they are made, changed and deleted', async ({ storage, shop }) => {
  await shop.query(ORDERS)
  await using supervisor = new Supervised(storage, { pollMs: 60_000 })
  await supervisor.start()
  expect(supervisor.reports()).toEqual([])

  const name = uniqueName('s')
  const { sourceNo } = await createSource(storage, { name, connection: connectionOf(shop) }, keys)
  await until(() => supervisor.report(sourceNo)?.state === 'healthy')
  await updateSource(storage, name, { name: `${name}-b` }, keys)
  await until(() => supervisor.report(sourceNo)?.name === `${name}-b`)
  await until(() => supervisor.report(sourceNo)?.state === 'healthy')
  await deleteSource(storage, `${name}-b`, keys)
  await until(() => supervisor.reports().length === 0)
  const { rowCount } = await shop.query(
    'select from pg_replication_slots where database = current_database()',
  )
  expect(rowCount).toBe(0)
})

test('a sick source does not keep the others from being read', async ({ storage, shop }) => {
  await shop.query(ORDERS)
  const connection = connectionOf(shop)
  const sick = await createSource(storage, { name: uniqueName('a'), connection }, keys)
  const sealed = await createSource(storage, { name: uniqueName('b'), connection }, keys)
  const well = await createSource(storage, { name: uniqueName('c'), connection }, keys)
  await storage.pool.query('update millrace.source set port = 1 where source_no = $1', [
    sick.sourceNo,
  ])
  await storage.pool.query('update millrace.source set password_sealed = $2 where source_no = $1', [
    sealed.sourceNo,
    randomBytes(80),
  ])
  await using supervisor = new Supervised(storage)
  await supervisor.start()
  await until(() => supervisor.report(well.sourceNo)?.state === 'healthy')
  await until(() => supervisor.report(sick.sourceNo)?.state === 'retrying')
  await until(async () => (await findSource(storage.db, sealed.id))?.state === 'needs_attention')
})

test('stops at once, also while it connects, and may be stopped twice', async ({ storage }) => {
  const supervisor = new Supervised(storage)
  await Promise.all([supervisor.start(), supervisor.stop()])
  await supervisor.stop()
  expect(supervisor.reports()).toEqual([])
})
