import { randomBytes } from 'node:crypto'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect } from 'vitest'

import { ConfigurationFileError } from '../../src/configuration/configuration-error.ts'
import { readConfig } from '../../src/config.ts'
import { startServer } from '../../src/main.ts'
import { test, uniqueName } from '../support/database.ts'
import { silentLogger } from '../support/given.ts'

async function writeConfiguration(yaml: string): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), 'millrace-configuration-')), 'millrace.yaml')
  await writeFile(path, yaml)
  return path
}

test('processes that start together with one file make each thing once', async ({
  storage,
  shop,
}) => {
  await shop.query('create table orders (id int primary key)')
  const slot = uniqueName('slot')
  const path = await writeConfiguration(`
sources:
  shop: {url: "\${SHOP_URL}", slot: ${slot}, publication: ${slot}, tables: [public.orders]}
consumers:
  shipping: {source: shop, tables: [public.orders]}
tokens:
  shipping: {scopes: [consume], token: "\${TOKEN}"}
`)
  const config = readConfig({
    MILLRACE_STORAGE_URL: storage.url,
    MILLRACE_SECRET_KEY: randomBytes(32).toString('base64'),
    MILLRACE_PORT: '0',
    MILLRACE_CONFIG: path,
  })
  const token = `mr_${randomBytes(6).toString('hex')}_${randomBytes(32).toString('hex')}`
  const environment = { SHOP_URL: shop.url, TOKEN: token }
  const start = () => startServer(config, silentLogger, { graceMs: 0, environment })

  const servers = await Promise.all([start(), start(), start()])

  for (const kind of ['source', 'consumer', 'token']) {
    const { rows } = await storage.pool.query(`select name from millrace.${kind}`)
    expect([kind, rows]).toEqual([kind, [{ name: kind === 'source' ? 'shop' : 'shipping' }]])
  }
  const answer = await fetch(`${servers[1].address}/v1/consumers/shipping/receive`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: '{"wait_for": 0}',
  })
  expect(answer.status).toBe(200)
  await Promise.all(servers.map((server) => server.stop()))
})

test.for([
  ['tokens:\n  ci:\n    scopes: [read]', ':3:5: tokens.ci.token is missing: at start nobody'],
  ['consumers:\n  a: {source: nowhere, tables: ["*"]}', ':2:15: consumers.a.source there is no'],
  ['consumer: {}', ':1:1: consumer is not a setting'],
] as const)('a server does not start with %j', async ([yaml, expected], { storage }) => {
  const path = await writeConfiguration(yaml)
  const config = readConfig({
    MILLRACE_STORAGE_URL: storage.url,
    MILLRACE_PORT: '0',
    MILLRACE_CONFIG: path,
  })
  const started = startServer(config, silentLogger, { graceMs: 0, environment: {} })
  await expect(started).rejects.toThrow(ConfigurationFileError)
  await expect(started).rejects.toThrow(expected)
})
