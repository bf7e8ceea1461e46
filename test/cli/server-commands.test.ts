import { describe, expect } from 'vitest'

import { ADMIN_TOKEN } from '../http/api.ts'
import { test as base, CONSUMER } from '../sdk/support/server.ts'
import { orders } from '../support/given.ts'
import { runCommand, type CliRun } from '../support/run-cli.ts'
import { runMillrace } from '../support/run-millrace.ts'

const test = base.extend<{ millrace: (...commandLine: string[]) => Promise<CliRun> }>({
  millrace: async ({ url }, use) => {
    const environment = { MILLRACE_URL: url, MILLRACE_TOKEN: ADMIN_TOKEN }
    await use((...commandLine) => runCommand(environment, commandLine))
  },
})

const parse = (line: string | undefined) => JSON.parse(line ?? 'null') as Record<string, unknown>

describe('millrace consumers', () => {
  test('are put, listed, shown, paused, resumed and deleted', async ({ millrace }) => {
    const put = await millrace(
      ...'consumers put shipping --source shop --tables public.orders --settings'.split(' '),
      '{"max_deliveries": 5}',
    )
    expect([put.code, put.errors]).toEqual([0, ''])
    expect((await millrace('consumers', 'pause', 'shipping', '--reason', 'moving')).code).toBe(0)
    const list = await millrace('consumers', 'list')
    expect(list.out[0]).toMatch(/^NAME +SOURCE +MODE +TABLES +PAUSED$/)
    expect(list.out.at(-1)).toMatch(/^shipping +shop +pull +public\.orders +moving$/)
    await millrace('consumers', 'resume', 'shipping')
    const shown = await millrace('consumers', 'get', 'shipping', '--json')
    expect(parse(shown.out[0])).toMatchObject({ name: 'shipping', max_deliveries: 5, paused: null })

    expect((await millrace('consumers', 'delete', 'shipping')).code).toBe(2)
    expect((await millrace('consumers', 'delete', 'shipping', '--yes')).code).toBe(0)
    const gone = await millrace('consumers', 'get', 'shipping')
    expect([gone.code, gone.errors]).toEqual([4, 'There is no consumer "shipping".\n'])
  })
})

describe('millrace sources', () => {
  test('are listed, shown and tested', async ({ millrace, shop }) => {
    expect((await millrace('sources', 'list')).out.at(-1)).toMatch(
      /^shop +\w+ +localhost:5432\/shop/,
    )
    expect(parse((await millrace('sources', 'get', 'shop', '--json')).out[0])).toMatchObject({
      slot: 'slot',
    })
    const tested = await millrace('sources', 'test', 'other', shop.url, '--json')
    const { ok } = parse(tested.out[0])
    expect(tested.code).toBe(ok === true ? 0 : 1)
    const away = await millrace('sources', 'test', 'other', 'postgres://127.0.0.1:1/shop')
    expect(away.code).not.toBe(0)
    expect((await millrace('sources', 'delete', 'shop')).code).toBe(2)
  })
})

describe('millrace tokens', () => {
  test('are made for a service, work, and are revoked', async ({ millrace, url }) => {
    const made = await millrace('tokens', 'create', 'a service', '--consumers', CONSUMER, '--json')
    const { id, token } = parse(made.out[0]) as { id: string; token: string }
    const service = { MILLRACE_URL: url, MILLRACE_TOKEN: token }

    expect((await runCommand(service, ['receive', CONSUMER])).code).toBe(0)
    expect((await runCommand(service, ['stats', CONSUMER])).code).toBe(3)
    expect((await millrace('tokens', 'delete', id)).code).toBe(0)
    expect((await millrace('tokens', 'list')).out.at(-1)).toMatch(/a service.*\d{4}-/)
  })
})

describe('a queue, by hand,', () => {
  test('is received from, acked and nacked, with every digit', async ({
    millrace,
    source,
    storage,
  }) => {
    await source.append(orders(3))
    await storage.pool.query(
      `update millrace.log set record = '{"id":9223372036854775807}' where seq = 1`,
    )

    const { out } = await millrace('receive', CONSUMER, '--batch-size', '2')
    const [first, second] = out.map((line) => String(parse(line)['ack_id'])) as [string, string]
    expect(out[0]).toContain('"9223372036854775807"')

    const acked = await millrace('ack', CONSUMER, first)
    expect(acked.out[1]).toMatch(/ acked +-$/)
    const nacked = await millrace('nack', CONSUMER, second, '--dead-letter', '--reason', 'no')
    expect(nacked.out[1]).toMatch(/ dead_lettered/)
    const lost = await millrace('ack', CONSUMER, second)
    expect([lost.code, lost.errors]).toEqual([1, '1 of them: the lease is lost.\n'])
    expect((await millrace('receive', CONSUMER, '--ack')).out).toHaveLength(1)

    const stats = await millrace('stats', '--json')
    expect(parse(stats.out[0])).toMatchObject([{ name: CONSUMER, backlog: 0, leased: 0, dead: 1 }])
  })

  test('is moved', async ({ millrace, source }) => {
    await source.append(orders(4))
    await millrace('receive', CONSUMER, '--batch-size', '10', '--ack')

    expect((await millrace('seek', CONSUMER, 'seq:3', '--dry-run')).out).toEqual([
      'cursor at 2: 2 would come again, 0 skipped',
    ])
    expect((await millrace('receive', CONSUMER)).out).toEqual([])
    await millrace('seek', CONSUMER, 'seq:4')
    const [line] = (await millrace('receive', CONSUMER)).out
    await millrace('nack', CONSUMER, String(parse(line)['ack_id']), '--dead-letter')
    expect((await millrace('redrive', CONSUMER, '--all')).out).toEqual([
      '1 redriven, 0 skipped, 0 dead ones left',
    ])
    expect((await millrace('discard', CONSUMER, '4')).out).toEqual(['1 discarded'])
    expect((await millrace('redrive', CONSUMER)).code).toBe(2)

    expect((await millrace('replay', CONSUMER, '--from', 'earliest', '--key', '2')).code).toBe(0)
    const replayed = await millrace('receive', CONSUMER, '--batch-size', '10')
    expect(replayed.out.map((each) => parse(each)['record'])).toEqual([{ id: 2 }])
    expect((await millrace('purge', CONSUMER)).code).toBe(2)
    expect((await millrace('purge', CONSUMER, '--confirm', CONSUMER)).code).toBe(0)
  })
})

describe('millrace tail', () => {
  test('follows the changes of a source, consumes none, and ends with 0', async ({
    url,
    source,
    client,
  }) => {
    await source.append(orders(2))
    const tail = runMillrace(['tail', 'shop', '--key', '4', '--json'], {
      environment: { MILLRACE_URL: url, MILLRACE_TOKEN: ADMIN_TOKEN },
    })
    await tail.waitForLine(/^following shop/)

    await source.append([...orders(2, 3), { id: 4, action: 'update' }])
    await tail.waitForLine(/"action":"update"/)
    tail.child.kill('SIGINT')

    expect(await tail.ended).toBe(0)
    const changes = tail.lines.filter((line) => line.startsWith('{')).map(parse)
    expect(changes.map(({ seq }) => seq)).toEqual([4, 5])
    expect(await client.consumers.stats(CONSUMER)).toMatchObject({ backlog: 5, leased: 0 })
  })
})

describe('millrace tail --consumer', () => {
  test('follows what a consumer selects, and consumes none', async ({
    url,
    source,
    client,
    storage,
  }) => {
    await client.consumers.patch(CONSUMER, { filter: 'record.id > 2' })
    await source.append(orders(3))
    await storage.pool.query(
      `update millrace.log set action = 'u', changes = '{"status":"placed"}' where seq = 3`,
    )
    const tail = runMillrace(['tail', '--consumer', CONSUMER, '--from', '2000-01-01'], {
      environment: { MILLRACE_URL: url, MILLRACE_TOKEN: ADMIN_TOKEN },
    })
    await tail.waitForLine(/^following inventory/)

    await source.append([{ id: 1 }, { id: 4 }])
    await tail.waitForLine(/"id":4/)
    tail.child.kill('SIGINT')

    expect(await tail.ended).toBe(0)
    const shown = tail.lines.filter((line) => line.includes('public.orders'))
    expect(shown.map((line) => /\{.*\}$/.exec(line)?.[0])).toEqual([
      '{"id":3}  was {"status":"placed"}',
      '{"id":4}',
    ])
    expect(await client.consumers.stats(CONSUMER)).toMatchObject({ leased: 0 })
  })
})

describe('millrace stats --watch', () => {
  test('looks again and again, and ends with 0', async ({ url, source }) => {
    const stats = runMillrace(['stats', '--watch', '--interval', '1', '--json'], {
      environment: { MILLRACE_URL: url, MILLRACE_TOKEN: ADMIN_TOKEN },
    })
    await stats.waitForLine(/"backlog":0/)
    await source.append(orders(2))
    await stats.waitForLine(/"backlog":2/)
    stats.child.kill('SIGINT')

    expect(await stats.ended).toBe(0)
  })
})

describe('millrace bench', () => {
  test('receives and acks what the log holds as a consumer of its own, which it deletes', async ({
    millrace,
    source,
    client,
  }) => {
    await source.append(orders(50))

    const run = await millrace('bench', '--source', 'shop', '--batch-size', '20', '--json')

    expect(parse(run.out[0])).toMatchObject({
      messages: 50,
      messages_per_second: expect.any(Number),
    })
    const { data } = await client.consumers.list()
    expect(data.map(({ name }) => name)).toEqual([CONSUMER])
    expect(await client.consumers.stats(CONSUMER)).toMatchObject({ backlog: 50 })
  })

  test('needs something in the log', async ({ millrace, client }) => {
    const run = await millrace('bench', '--source', 'shop')

    expect([run.code, run.errors]).toEqual([1, expect.stringContaining('is empty')])
    expect((await client.consumers.list()).data).toHaveLength(1)
  })
})

describe('a command that talks to a server', () => {
  test.for([
    [['stats', '--token', 'nonsense'], 3],
    [['stats', 'nobody'], 4],
    [['stats', '--url', 'http://127.0.0.1:1', '--help'], 0],
    [['stats', '--url', 'nonsense'], 2],
    [['seek', CONSUMER, 'yesterday'], 2],
    [['consumers', 'put', 'x', '--settings', '[]'], 2],
    [['consumers', 'put', 'x', '--settings', '{"nonsense": 1}'], 2],
    [['receive', CONSUMER, '--batch-size', 'many'], 2],
    [['receive', CONSUMER, '--wait-for', 'long'], 2],
    [['nack', CONSUMER, 'a-1-1-x-0-1', '--delay', '5x'], 2],
    [['tail'], 2],
    [['tail', 'shop', '--table', 'orders'], 2],
    [['plan', 'no-such-file.yaml'], 2],
    [['tail', 'shop', '--consumer', CONSUMER], 2],
    [['tail', '--consumer', CONSUMER, '--key', '1'], 2],
    [['tail', '--consumer', 'nobody'], 4],
    [['stats', '--watch', '--interval', '0'], 2],
    [['bench'], 2],
    [['bench', '--source', 'nowhere'], 2],
    [['bench', '--source', 'shop', '--workers', '65'], 2],
  ] as const)('ends %j with %i', async ([commandLine, code], { millrace }) => {
    const result = await millrace(...commandLine)

    expect(result.code).toBe(code)
    expect(code === 0 ? result.out.join('\n') : result.errors).toMatch(/\S/)
    expect(result.errors).not.toMatch(/\bat .*\.ts:\d+/)
  })

  test.for([
    ['without a token', { MILLRACE_TOKEN: '' }, 3, 'wants a token: set MILLRACE_TOKEN'],
    ['with a wrong one', { MILLRACE_TOKEN: 'mr_x' }, 3, 'does not know this token'],
    ['without a server', { MILLRACE_URL: 'http://127.0.0.1:9' }, 5, '--url, MILLRACE_URL'],
  ] as const)('%s says what to do', async ([, change, code, words], { url }) => {
    const environment = { MILLRACE_URL: url, MILLRACE_TOKEN: ADMIN_TOKEN, ...change }

    const run = await runCommand(environment, ['stats'])

    expect([run.code, run.errors]).toEqual([code, expect.stringContaining(words)])
    expect(run.errors).toContain(environment.MILLRACE_URL)
  })

  test('says once what the server minds', async ({ millrace }) => {
    const { errors } = await millrace('receive', CONSUMER, '--batch-size', '1001')

    expect(errors).toBe('batch_size must be at most 1000\n')
  })
})
