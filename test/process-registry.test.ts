import { randomUUID } from 'node:crypto'

import { describe, expect } from 'vitest'

import { createLogger } from '../src/log.ts'
import { ProcessRegistry } from '../src/process-registry.ts'
import type { Database } from '../src/storage/database.ts'
import { test } from './support/database.ts'

const logger = createLogger({ level: 'error', pretty: true, stream: process.stderr })

function openRegistry({ pool }: Database): ProcessRegistry {
  return new ProcessRegistry({ pool, logger, id: randomUUID(), roles: new Set(['api']) })
}

describe('ProcessRegistry', () => {
  test('knows whether there are others', async ({ storage }) => {
    const first = openRegistry(storage)
    await first.start()
    expect(first.hasPeers()).toBe(false)

    const second = openRegistry(storage)
    await second.start()
    expect(second.hasPeers()).toBe(true)

    await first.stop()
    await first.stop()
    const third = openRegistry(storage)
    await third.start()
    await second.stop()
    const fourth = openRegistry(storage)
    await third.stop()
    await fourth.start()
    expect(fourth.hasPeers()).toBe(false)
    await fourth.stop()
  })

  test('removes those that went silent', async ({ storage }) => {
    await storage.pool.query(
      `insert into millrace.process (id, host, pid, version, roles, started_at, seen_at)
       values (gen_random_uuid(), 'gone', 1, '0', '{}', now(), now() - interval '31 seconds')`,
    )

    const registry = openRegistry(storage)
    await registry.start()

    expect(registry.hasPeers()).toBe(false)
    const { rows } = await storage.pool.query('select host from millrace.process')
    expect(rows).not.toContainEqual({ host: 'gone' })
    await registry.stop()
  })

  test('may be stopped before it was started', async ({ storage }) => {
    await expect(openRegistry(storage).stop()).resolves.toBeUndefined()
  })
})
