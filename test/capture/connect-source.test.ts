import { describe, expect } from 'vitest'

import { connectSource, tlsOptions } from '../../src/capture/connect-source.ts'
import { parseSourceUrl } from '../../src/capture/source-url.ts'
import { test } from '../support/database.ts'
import { connectionOf } from './capture-harness.ts'

describe('connectSource', () => {
  test('goes on without TLS where it is only preferred, and not where it is required', async ({
    shop,
  }) => {
    const connection = connectionOf(shop)
    const { client, config } = await connectSource(
      { ...connection, ssl: { mode: 'prefer' } },
      'test',
    )
    expect(config.ssl).toBe(false)
    await client.end()
    for (const mode of ['require', 'verify-ca', 'verify-full'] as const) {
      await expect(connectSource({ ...connection, ssl: { mode } }, 'test')).rejects.toThrow(
        /does not support SSL/,
      )
    }
  })
})

describe('tlsOptions', () => {
  test('check the certificate as far as the mode says', () => {
    const ca = 'PEM'
    expect(tlsOptions({ mode: 'disable' })).toBe(false)
    expect(tlsOptions({ mode: 'require' })).toEqual({ rejectUnauthorized: false })
    expect(tlsOptions({ mode: 'require', ca })).toMatchObject({ ca, rejectUnauthorized: true })
    const anyName = tlsOptions({ mode: 'verify-ca', ca })
    expect(anyName && anyName.checkServerIdentity?.('other', {} as never)).toBeUndefined()
    expect(tlsOptions({ mode: 'verify-full', ca })).toEqual({ ca, rejectUnauthorized: true })
  })
})

describe('parseSourceUrl', () => {
  test('takes a URL apart, decoded', () => {
    expect(
      parseSourceUrl('postgres://me%40x:p%2Fw@db.example.com:6543/my%20shop?sslmode=verify-full'),
    ).toEqual({
      host: 'db.example.com',
      port: 6543,
      database: 'my shop',
      user: 'me@x',
      password: 'p/w',
      ssl: { mode: 'verify-full' },
    })
    expect(parseSourceUrl('postgresql://u@[::1]/d')).toEqual({
      host: '::1',
      port: 5432,
      database: 'd',
      user: 'u',
      password: null,
      ssl: { mode: 'prefer' },
    })
  })

  test.for([
    ['http://u:secret@h/d', /not a URL like/],
    ['postgres://u:secret@h', /no database/],
    ['postgres://h/d?password=secret', /no user/],
    ['postgres://u:secret@h/d?sslmode=maybe', /unknown sslmode/],
    ['postgres://u:secret%ZZ@h/d', /percent-encoded/],
    ['secret', /not a URL like/],
  ] as const)('refuses %s without repeating it', ([url, reason]) => {
    expect(() => parseSourceUrl(url)).toThrow(reason)
    expect(() => parseSourceUrl(url)).toThrow(/^(?!.*secret)/)
  })
})
