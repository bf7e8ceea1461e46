import { readFile, writeFile } from 'node:fs/promises'

import { describe, expect } from 'vitest'

import { dumpSchema } from '../support/dump-schema.ts'
import { test } from '../support/database.ts'

const SCHEMA_FILE = new URL('../../src/storage/schema.sql', import.meta.url)

describe('schema.sql', () => {
  test('is what the migrations make; `npm run schema` writes it anew', async ({ storage }) => {
    const dump = await dumpSchema(storage.pool)
    if (process.env['MILLRACE_WRITE_SCHEMA'] === '1') await writeFile(SCHEMA_FILE, dump)

    expect(dump).toBe(await readFile(SCHEMA_FILE, 'utf8'))
  })
})
