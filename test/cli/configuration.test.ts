import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect } from 'vitest'
import { parse } from 'yaml'

import { uniqueName } from '../support/database.ts'
import { test as base } from '../support/live-server.ts'
import { runCommand, type CliRun } from '../support/run-cli.ts'

interface Tools {
  /** Writes the file and runs a command with it, in an environment of its own. */
  run: (command: string[], yaml: string, environment?: Record<string, string>) => Promise<CliRun>
}

const test = base.extend<{ tools: Tools }>({
  tools: async ({ server }, use) => {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-configuration-'))
    await use({
      async run([command = '', ...flags], yaml, environment = {}) {
        const path = join(directory, 'millrace.yaml')
        await writeFile(path, yaml)
        return runCommand(
          { MILLRACE_URL: server.url, MILLRACE_TOKEN: server.token, ...environment },
          [command, path, ...flags],
        )
      },
    })
  },
})

const ORDERS = 'create table orders (id int primary key)'

/** Slots belong to the whole cluster, which tests share. */
function writeSource(url: string, slot: string): string {
  return `sources:
  shop:
    url: ${url}
    slot: ${slot}
    publication: ${slot}
    tables: [public.orders]
`
}

describe('apply', () => {
  test('makes all that is new, then what differs, then nothing', async ({
    shop,
    server,
    tools,
  }) => {
    await shop.query(ORDERS)
    const source = writeSource('${SHOP_URL}', uniqueName('slot'))
    const environment = { SHOP_URL: shop.url, SIGN: 'secret-header-value' }
    const yaml = `${source}
consumers:
  shipping: {source: shop, tables: [public.orders]}
  hook:
    source: shop
    tables: [public.orders]
    mode: push
    push: {url: 'https://hook.example/', headers: {x-sign: '\${SIGN}'}}
tokens:
  shipping service: {scopes: [consume], consumers: [shipping]}
`
    const planned = await tools.run(['plan', '--detailed-exitcode'], yaml, environment)
    expect(planned.code).toBe(10)
    expect(planned.out).toContain('+ source shop')
    expect(planned.out.at(-1)).toBe('4 to create, 0 to change, 0 to delete.')
    expect(await server.client.sources.list()).toMatchObject({ data: [] })

    const applied = await tools.run(['apply'], yaml, environment)
    expect([applied.code, applied.errors]).toEqual([0, expect.stringContaining('not shown again')])
    const [, token = ''] = /^token shipping service: (mr_\S+)$/m.exec(applied.out.join('\n')) ?? []
    expect(token).toMatch(/^mr_/)
    expect(applied.out.join('\n')).toMatch(/consumer hook, signing secret: whsec_/)
    for (const { out } of [planned, applied]) {
      expect(out.join('\n')).not.toContain('secret-header-value')
      expect(out.join('\n')).not.toContain(shop.url)
    }

    const again = await tools.run(['apply'], yaml, environment)
    expect([again.code, again.out]).toEqual([0, ['Nothing to change.']])

    const changed = yaml
      .replace('[consume]', '[consume, read]')
      .replace('shipping: {source: shop, ', 'shipping: {source: shop, max_deliveries: 7, ')
    const update = await tools.run(['apply'], changed, { ...environment, SIGN: 'another' })
    expect(update.out).toEqual([
      '~ consumer shipping',
      '    max_deliveries: null → 7',
      '~ consumer hook',
      '    push.headers: (secret)',
      '~ token shipping service',
      '    scopes: ["consume"] → ["consume","read"]',
      '0 to create, 3 to change, 0 to delete.',
    ])
    expect(await server.client.consumers.get('shipping')).toMatchObject({ max_deliveries: 7 })
  })

  test('leaves nothing behind when something is refused', async ({ shop, server, tools }) => {
    await shop.query(ORDERS)
    const slot = uniqueName('slot')
    const source = writeSource(shop.url, slot)
    const text = 'mr_000000000000_'.padEnd(80, 'a')
    const yaml = `${source}
consumers:
  shipping: {source: shop, tables: [public.orders]}
tokens:
  one: {scopes: [consume], token: ${text}}
  two: {scopes: [consume], token: ${text}}
`
    // Only the storage can tell that two tokens have one id: all else is made by then.
    const { code } = await tools.run(['apply'], yaml)

    expect(code).not.toBe(0)
    expect((await server.client.sources.list()).data).toEqual([])
    expect((await server.client.consumers.list()).data).toEqual([])
    expect((await server.client.tokens.list()).data).toEqual([])
    const { rows } = await shop.query(
      `select slot_name from pg_replication_slots where slot_name = '${slot}'
       union all select pubname from pg_publication where pubname = '${slot}'`,
    )
    expect(rows).toEqual([])
  })

  test('tells what the server refuses by line and column', async ({ shop, server, tools }) => {
    await shop.query(ORDERS)
    await server.connectShop(['public.orders'])
    const yaml = `consumers:
  shipping: {source: nowhere, tables: ["*"]}
  billing:
    source: shop
    tables: ["*"]
    filter: record.id >
`
    const { code, errors } = await tools.run(['plan'], yaml)

    expect(code).toBe(2)
    expect(errors).toContain('millrace.yaml:2:22: consumers.shipping.source there is no source')
    expect(errors).toContain('millrace.yaml:6:13: consumers.billing.filter')
    await server.client.consumers.put('shipping', { source: 'shop', tables: ['*'] })
    const fixed = 'consumers:\n  shipping: {source: shop, tables: ["*"], kind: rows}'
    expect((await tools.run(['apply'], fixed)).errors).toContain(
      '2:49: consumers.shipping.kind is fixed',
    )
  })

  test('deletes what is not in the file with --prune alone, and asks first', async ({
    shop,
    server,
    tools,
  }) => {
    await shop.query(ORDERS)
    await server.connectShop(['public.orders'])
    await server.client.consumers.put('old', { source: 'shop', tables: ['*'] })
    const token = await server.client.tokens.create({ name: 'ci', scopes: ['read'] })
    const yaml = 'consumers:\n  young: {source: shop, tables: ["*"]}\n'

    const left = await tools.run(['apply'], yaml)
    expect(left.out).toContain('  consumer old is not in the file; left alone')
    const asked = await tools.run(['apply', '--prune'], yaml)
    expect([asked.code, asked.errors]).toEqual([2, expect.stringContaining('consumer old')])
    await server.client.consumers.get('old')

    const pruned = await tools.run(['apply', '--prune', '--yes'], yaml)
    expect(pruned.out).toEqual(['- consumer old', '0 to create, 0 to change, 1 to delete.'])
    expect((await server.client.consumers.list()).data.map(({ name }) => name)).toEqual(['young'])
    // Sections that are not in the file are left alone.
    const { data } = await server.client.tokens.list()
    expect(data).toMatchObject([{ id: token.id, revoked_at: null }])
    expect((await tools.run(['plan', '--prune'], 'sources: {}')).errors).toContain('young')

    const none = await tools.run(
      ['apply', '--prune', '--yes'],
      'sources: {}\nconsumers: {}\ntokens: {}',
    )
    expect([none.code, none.out.at(-1)]).toEqual([0, '0 to create, 0 to change, 3 to delete.'])
    expect((await server.client.sources.list()).data).toEqual([])
  })

  test('names a source that could not be deleted at the end, and has done all else', async ({
    shop,
    server,
    storage,
    tools,
  }) => {
    await shop.query(ORDERS)
    await server.connectShop(['public.orders'])
    // The storage refuses at the very end, long after everything was checked.
    await storage.pool.query(`
      create function keep() returns trigger language plpgsql as $$
        begin raise 'kept'; end $$;
      create trigger keep before delete on millrace.source execute function keep()`)

    const yaml = 'sources: {}\ntokens:\n  ci: {scopes: [read]}\n'
    const { code, out, errors } = await tools.run(['apply', '--prune', '--yes'], yaml)

    expect(code).toBe(1)
    expect(out.join('\n')).toMatch(/^token ci: mr_/m)
    expect(errors).toContain('Not deleted, all else is done: source shop: ')
    expect((await server.client.tokens.list()).data).toMatchObject([{ name: 'ci' }])
    await storage.pool.query('drop function keep cascade')
  })

  test('takes a token made elsewhere, replaces it, and never revives a revoked one', async ({
    server,
    tools,
  }) => {
    const write = (id: string) =>
      `tokens:\n  ci: {scopes: [read], token: ${`mr_${id.repeat(12)}_`.padEnd(80, id)}}\n`
    await tools.run(['apply'], write('a'))
    const replaced = await tools.run(['apply'], write('b'))
    expect(replaced.out).toEqual([
      '± token ci',
      '    token: (secret)',
      '0 to create, 1 to change, 0 to delete.',
    ])
    const { data } = await server.client.tokens.list()
    expect(data.map(({ id, revoked_at }) => [id[0], revoked_at === null])).toEqual([
      ['a', false],
      ['b', true],
    ])
    const revived = await tools.run(['apply'], write('a'))
    expect([revived.code, revived.errors]).toEqual([2, expect.stringContaining('was revoked')])
  })
})

describe('export', () => {
  test('writes a file that changes nothing where it came from', async ({ shop, server, tools }) => {
    await shop.query(ORDERS)
    await server.connectShop(['public.orders'])
    const { client } = server
    await client.consumers.put('hook', {
      source: 'shop',
      tables: ['public.*'],
      filter: 'record.id > 3',
      mode: 'push',
      push: {
        url: 'https://hook.example/$x',
        headers: { authorization: 'Bearer 1' },
        batch_size: 5,
      },
      start_from: 'earliest',
      annotations: { cost: '$$5', of: '${X}' },
    })
    await client.consumers.put('plain', {
      source: 'shop',
      tables: ['*'],
      columns: { include: ['id'] },
    })
    await client.tokens.create({ name: 'ci', scopes: ['read', 'consume'], consumers: ['plain'] })
    for (const _ of [1, 2]) await client.tokens.create({ name: 'twin', scopes: ['read'] })

    const environment = { MILLRACE_URL: server.url, MILLRACE_TOKEN: server.token }
    const { code, out, errors } = await runCommand(environment, ['export'])

    expect([code, errors]).toEqual([0, expect.stringContaining('left out: token twin')])
    const yaml = out.join('\n')
    expect(yaml).not.toContain('Bearer 1')
    expect(parse(yaml).consumers.plain).toEqual({
      source: 'shop',
      tables: ['*'],
      columns: { include: ['id'] },
    })
    const password = decodeURIComponent(new URL(shop.url).password)
    const plan = await tools.run(['plan', '--detailed-exitcode'], yaml, {
      HOOK_AUTHORIZATION: 'Bearer 1',
      ...(password ? { SHOP_PASSWORD: password } : {}),
    })
    expect([plan.code, plan.out.at(-1), plan.errors]).toEqual([0, 'Nothing to change.', ''])
  })
})
