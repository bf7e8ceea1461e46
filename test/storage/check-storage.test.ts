import { describe, expect } from 'vitest'

import { checkStorage } from '../../src/storage/check-storage.ts'
import { openDatabase } from '../../src/storage/database.ts'
import { runAdmin, test, uniqueName, urlOfDatabase } from '../support/database.ts'
import { Pooler } from '../support/pooler.ts'
import { findFreePort } from '../support/postgres.ts'

async function findCheck(url: string, name: string, hasSecretKey?: boolean) {
  const database = openDatabase(url)
  try {
    const checks = await checkStorage(database, hasSecretKey)
    return checks.find((check) => check.name === name)
  } finally {
    await database.close()
  }
}

describe('the checks of a storage', () => {
  test('pass for one that is migrated, but for what tests do without', async ({ storage }) => {
    const checks = await checkStorage(storage, true)

    expect(checks.map(({ name, status }) => [name, status])).toEqual([
      ['reachable', 'pass'],
      ['pooler', 'pass'],
      ['version', 'pass'],
      ['encoding', 'pass'],
      ['writable', 'pass'],
      // The tests' server runs without fsync.
      ['durable', 'warn'],
      ['connections', 'pass'],
      ['privileges', 'pass'],
      ['migrations', 'pass'],
      ['secrets', 'pass'],
    ])
    expect(checks[5]!.sql).toContain('alter system set fsync = on;')
  })

  test('tell one that is not migrated from one that a newer version has migrated', async ({
    shop,
    storage,
  }) => {
    expect(await findCheck(shop.url, 'migrations')).toMatchObject({ status: 'warn' })
    await storage.pool.query(`insert into millrace.migration values ('9999_later.sql', '')`)
    expect(await findCheck(storage.url, 'migrations')).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining('9999_later.sql') as string,
    })
  })

  test('name the grant that a role lacks, and the grant mends it', async ({ shop }) => {
    const role = uniqueName('role')
    await runAdmin(`create role ${role} login password 'secret'`)
    try {
      const url = new URL(shop.url)
      url.username = role
      url.password = 'secret'
      const before = await findCheck(url.href, 'privileges')
      expect(before).toMatchObject({ status: 'fail', sql: expect.stringContaining('grant create') })
      await shop.query(before!.sql!)
      expect(await findCheck(url.href, 'privileges')).toMatchObject({ status: 'pass' })

      await shop.query(`alter role ${role} set default_transaction_read_only = on`)
      const writable = await findCheck(url.href, 'writable')
      expect(writable).toMatchObject({ status: 'fail' })
      await shop.query(writable!.sql!)
      expect(await findCheck(url.href, 'writable')).toMatchObject({ status: 'pass' })
      await shop.query(`drop owned by ${role}`)
    } finally {
      await runAdmin(`drop role ${role}`)
    }
  })

  test('refuse an encoding that cannot hold every text', async () => {
    const name = uniqueName()
    await runAdmin(`create database ${name} encoding 'SQL_ASCII' locale 'C' template template0`)
    try {
      expect(await findCheck(urlOfDatabase(name), 'encoding')).toMatchObject({ status: 'fail' })
    } finally {
      await runAdmin(`drop database ${name} with (force)`)
    }
  })

  test('count the passwords that nobody can read without the key', async ({ storage }) => {
    expect(await findCheck(storage.url, 'secrets', false)).toMatchObject({ status: 'warn' })
    await storage.pool.query(
      `insert into millrace.source (name, host, port, database, username, slot, publication, password_sealed)
       values ('shop', 'localhost', 5432, 'shop', 'me', 's', 'p', '\\x00')`,
    )
    expect(await findCheck(storage.url, 'secrets', false)).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining('1 passwords') as string,
    })
  })

  test('tell a pooler that shares sessions from one that keeps them', async ({ storage }) => {
    const { url } = storage
    {
      await using pooler = await Pooler.start(url, { pooling: 'last used' })
      const check = await findCheck(pooler.through(url), 'pooler')
      expect(check).toMatchObject({
        status: 'fail',
        detail: expect.stringContaining('use the direct port of Postgres, or session mode'),
      })
    }
    {
      await using pooler = await Pooler.start(url, { pooling: 'session' })
      expect(await findCheck(pooler.through(url), 'pooler')).toMatchObject({ status: 'pass' })
    }
    await using pooler = await Pooler.start(url, { pooling: 'session', refuses: ['options'] })
    const check = await findCheck(pooler.through(url), 'reachable')
    expect(check?.detail).toContain('options (a pooler answers: use the direct port)')
  })

  test('end at the first where nothing answers', async () => {
    const port = await findFreePort()
    const database = openDatabase(`postgres://me:hidden@127.0.0.1:${port}/millrace`)
    const checks = await checkStorage(database)
    await database.close()

    expect(checks).toMatchObject([{ name: 'reachable', status: 'fail' }])
    expect(checks[0]!.detail).not.toContain('hidden')
  })
})
