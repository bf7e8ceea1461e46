import { describe, expect } from 'vitest'

import { openDatabase } from '../../src/storage/database.ts'
import { migrate } from '../../src/storage/migrate.ts'
import { test } from '../support/database.ts'

describe('migrate', () => {
  test('applies nothing to a storage that is up to date', async ({ storage }) => {
    expect(await migrate(storage)).toEqual([])
  })

  test('is applied once by several processes that start together', async ({ shop }) => {
    const databases = [1, 2, 3].map(() => openDatabase(shop.url))

    const applied = await Promise.all(databases.map((database) => migrate(database)))

    expect(applied.filter((names) => names.length > 0)).toHaveLength(1)
    await Promise.all(databases.map((database) => database.close()))
  })

  test('refuses a storage that a newer version migrated', async ({ storage }) => {
    await storage.pool.query(
      "insert into millrace.migration (name, sha256) values ('9999_future.sql', '')",
    )

    await expect(migrate(storage)).rejects.toThrow('newer Millrace')
  })
})
