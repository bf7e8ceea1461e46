import { describe, expect } from 'vitest'

import { checkSource } from '../../src/capture/check-source.ts'
import { test, uniqueName } from '../support/database.ts'
import { Pooler, type PoolerOptions } from '../support/pooler.ts'
import { Proxy } from '../support/proxy.ts'
import { connectionOf } from './capture-harness.ts'
import { run, WatchedSources } from './watched-sources.ts'

const TABLE = 'create table t (id int primary key)'

const POOLERS: [string, PoolerOptions, RegExp][] = [
  ['shares its connections', { pooling: 'last used' }, /a pooler in transaction mode answers/],
  ['drops settings', { pooling: 'session' }, /a pooler answers that drops the settings/],
  [
    'refuses settings',
    { pooling: 'session', refuses: ['options'] },
    /a pooler answers.* unsupported startup parameter: options/,
  ],
]

describe('a pooler in front of a source', () => {
  test.for(POOLERS)('that %s fails the checks', async ([, options, reason], { shop }) => {
    await using pooler = await Pooler.start(shop.url, options)
    const target = { slot: uniqueName('s'), publication: 'p', tables: null, create: true }
    const checks = await checkSource(connectionOf({ url: pooler.through(shop.url) }), target)
    expect(checks.filter(({ status }) => status === 'fail')).toMatchObject([
      { detail: expect.stringMatching(reason) },
    ])
    expect(checks.find(({ status }) => status === 'fail')!.detail).toContain('direct port')
  })

  test('that lets no replication through fails the checks', async ({ shop }) => {
    await shop.query(`alter database ${shop.name} set intervalstyle = 'iso_8601'`)
    const options = { pooling: 'session', refuses: ['replication'] } as const
    await using pooler = await Pooler.start(shop.url, options)
    const target = { slot: uniqueName('s'), publication: 'p', tables: null, create: true }
    const checks = await checkSource(connectionOf({ url: pooler.through(shop.url) }), target)
    expect(checks.find(({ name }) => name === 'pooler')).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining('no replication through: unsupported startup parameter'),
    })
  })

  test.for(POOLERS)(
    'that %s, once it takes its place, is not read through',
    async ([, options, reason], { storage, shop }) => {
      await shop.query(TABLE)
      const direct = Number(new URL(shop.url).port)
      await using pooler = await Pooler.start(shop.url, options)
      await using proxy = await Proxy.start(direct)
      await using sources = new WatchedSources(storage)
      const source = await sources.connect(proxy.through(shop.url))
      proxy.pointTo(pooler.port)
      proxy.cut()
      const { remedy } = await source.become('needs_attention', reason)
      expect(remedy).toContain(`direct port of Postgres in place of the pooler: update source`)

      proxy.pointTo(direct)
      await run(shop.url, 'insert into t values (1)')
      await source.become('healthy')
      await source.waitForKeys(['1'])
    },
  )
})
