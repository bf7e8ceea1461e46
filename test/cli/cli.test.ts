import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'

import { describe, expect } from 'vitest'

import manifest from '../../package.json' with { type: 'json' }
import { test, uniqueName } from '../support/database.ts'
import { Pooler } from '../support/pooler.ts'
import { findFreePort } from '../support/postgres.ts'
import { runMillrace } from '../support/run-millrace.ts'

const TOKEN = 'a-token-that-is-long-enough'

describe('millrace', () => {
  test('says its version', async () => {
    const run = runMillrace(['--version'])

    expect(await run.ended).toBe(0)
    expect(run.lines).toEqual([manifest.version])
  })

  test('shows examples and exit codes with --help', async () => {
    const run = runMillrace(['--help'])

    expect(await run.ended).toBe(0)
    expect(run.readText()).toMatch(/Examples:[^]*millrace dev[^]*Exit codes:/)
  })

  test.for([
    ['bogus'],
    ['serve', '--bogus'],
    ['dev', '--port', 'http'],
    ['dev', '--source', 'shop'],
  ])('ends with 2 and a sentence for %j', async (commandLine) => {
    const run = runMillrace(commandLine)

    expect(await run.ended).toBe(2)
    expect(run.readText()).not.toMatch(/\bat .*\.ts:\d+/)
    expect(run.lines.length).toBeGreaterThan(0)
  })
})

describe('millrace serve', () => {
  test('names all settings that are missing or wrong, and nothing of their values', async () => {
    const environment = { MILLRACE_PORT: 'http', MILLRACE_SECRET_KEY: 'hunter22' }

    const run = runMillrace(['serve'], { environment })

    expect(await run.ended).toBe(2)
    expect(run.lines).toEqual([
      'MILLRACE_STORAGE_URL is missing',
      'MILLRACE_SECRET_KEY must be 32 bytes in base64; make one with: openssl rand -base64 32',
      'MILLRACE_PORT must be a number from 0 to 65535',
    ])
  })

  test('migrates an empty storage, serves, and ends on SIGTERM', async ({ shop }) => {
    const run = runMillrace(['serve'], {
      environment: {
        MILLRACE_STORAGE_URL: shop.url,
        MILLRACE_ADMIN_TOKEN: TOKEN,
        MILLRACE_PORT: '0',
      },
    })
    const [, address] = await run.waitForLine(/"message":"listening","address":"([^"]+)"/)

    const ready = await fetch(`${address}/readyz`)
    const headers = { authorization: `Bearer ${TOKEN}` }
    const metrics = await (await fetch(`${address}/metrics`, { headers })).text()
    const { rows } = await shop.query('select roles from millrace.process')
    run.child.kill('SIGTERM')

    expect(ready.status).toBe(200)
    expect(metrics).toContain(`millrace_build_info{version="${manifest.version}"`)
    expect(rows).toEqual([{ roles: ['reader', 'api', 'push'] }])
    expect(await run.ended).toBe(0)
    expect((await shop.query('select from millrace.process')).rowCount).toBe(0)
  })

  test('says that it waits for a storage that does not answer', async () => {
    const port = await findFreePort()
    const run = runMillrace(['serve'], {
      environment: { MILLRACE_STORAGE_URL: `postgres://me:hunter22@127.0.0.1:${port}/millrace` },
    })

    await run.waitForLine(/does not answer; waiting/)
    run.child.kill('SIGINT')

    expect(await run.ended).toBe(130)
    expect(run.readText()).not.toContain('hunter22')
  })

  test('ends with 2 and a sentence where a pooler in transaction mode answers', async ({
    storage,
  }) => {
    await using pooler = await Pooler.start(storage.url, { pooling: 'last used' })
    const run = runMillrace(['serve'], {
      environment: { MILLRACE_STORAGE_URL: pooler.through(storage.url), MILLRACE_PORT: '0' },
    })

    expect(await run.ended).toBe(2)
    expect(run.lines).toHaveLength(1)
    expect(run.lines[0]).toMatch(
      /^MILLRACE_STORAGE_URL: the storage at 127.0.0.1:\d+\/\w+ cannot be used: a pooler in transaction mode .* direct port/,
    )
  })

  test('ends with 2 and a sentence where a pooler refuses its settings', async ({ storage }) => {
    const refuses = ['statement_timeout']
    await using pooler = await Pooler.start(storage.url, { pooling: 'session', refuses })
    const run = runMillrace(['serve'], {
      environment: { MILLRACE_STORAGE_URL: pooler.through(storage.url), MILLRACE_PORT: '0' },
    })

    expect(await run.ended).toBe(2)
    expect(run.lines).toEqual([expect.stringMatching(/statement_timeout: a pooler .* direct port/)])
  })

  test('ends with 1 and a sentence where its port is taken', async ({ storage }) => {
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address() as AddressInfo

    const run = runMillrace(['serve'], {
      environment: {
        MILLRACE_STORAGE_URL: storage.url,
        MILLRACE_PORT: String(port),
        MILLRACE_LOG_LEVEL: 'error',
      },
    })

    expect(await run.ended).toBe(1)
    expect(run.lines).toEqual([
      `port ${port} at 127.0.0.1 is in use: choose another with MILLRACE_PORT, or --port of dev`,
    ])
    holder.close()
  })

  test.for([
    ['a database that is not there', { database: 'not_there' }, 'database "not_there" does not'],
    ['a wrong password', { password: 'hunter22' }, 'password authentication failed'],
    ['TLS where there is none', { query: 'sslmode=require' }, 'does not support SSL'],
    ['a file of certificates that is not there', { query: 'sslrootcert=/no.pem' }, '/no.pem'],
  ] as const)('ends with 2 and a sentence for %s', async ([, change, reason], { shop }) => {
    const url = new URL(shop.url)
    if ('database' in change) url.pathname = change.database
    if ('password' in change) url.password = change.password
    if ('query' in change) url.search = change.query

    const run = runMillrace(['serve'], { environment: { MILLRACE_STORAGE_URL: url.href } })

    expect(await run.ended).toBe(2)
    expect(run.lines).toHaveLength(1)
    expect(run.lines[0]).toMatch(/^MILLRACE_STORAGE_URL: the storage at .* refuses: /)
    expect(run.lines[0]).toContain(reason)
    expect(run.readText()).not.toContain('hunter22')
  })

  test('ends with 2 and the SQL that mends it where the role may not make a schema', async ({
    shop,
  }) => {
    const role = uniqueName('weak')
    await shop.query(`create role ${role} login password 'weak'`)
    const url = new URL(shop.url)
    url.username = role
    url.password = 'weak'

    const run = runMillrace(['serve'], { environment: { MILLRACE_STORAGE_URL: url.href } })

    expect(await run.ended).toBe(2)
    expect(run.lines).toEqual([
      expect.stringContaining(`run there: grant create on database "${shop.name}" to "${role}";`),
    ])
    await shop.query(`drop role ${role}`)
  })

  test.for([
    ['is no address of this machine', { MILLRACE_HOST: '192.0.2.1' }],
    ['is not known here', { MILLRACE_HOST: 'nowhere.invalid' }],
    ['there is no such file', { MILLRACE_CONFIG: '/no/millrace.yaml' }],
  ] as const)('ends with 2 and one line: %s', async ([line, environment], { storage }) => {
    const run = runMillrace(['serve'], {
      environment: {
        MILLRACE_STORAGE_URL: storage.url,
        MILLRACE_PORT: '0',
        MILLRACE_LOG_LEVEL: 'error',
        ...environment,
      },
    })

    expect(await run.ended).toBe(2)
    expect(run.lines).toEqual([expect.stringContaining(line)])
  })
})

describe('millrace migrate', () => {
  test('applies what is missing, once', async ({ shop }) => {
    const environment = { MILLRACE_STORAGE_URL: shop.url }
    const first = runMillrace(['migrate'], { environment })
    expect(await first.ended).toBe(0)
    expect(first.lines).toContain('applied 0001_storage.sql')

    const second = runMillrace(['migrate'], { environment })

    expect(await second.ended).toBe(0)
    expect(second.lines).toEqual(['the storage is up to date'])
  })
})
