import { describe, expect, test } from 'vitest'

import { ConfigError, listMisspelt, readConfig, type Environment } from '../src/config.ts'

const MINIMUM = { MILLRACE_STORAGE_URL: 'postgres://db/millrace' }

function explain(environment: Environment): readonly string[] {
  try {
    readConfig(environment)
  } catch (error) {
    if (error instanceof ConfigError) return error.lines
    throw error
  }
  return []
}

describe('readConfig', () => {
  test('needs nothing but the storage', () => {
    expect(readConfig(MINIMUM)).toEqual({
      storageUrl: 'postgres://db/millrace',
      secretKey: undefined,
      adminToken: undefined,
      host: '127.0.0.1',
      port: 4400,
      roles: new Set(['reader', 'api', 'push']),
      configFile: undefined,
      retentionMs: 7 * 86_400_000,
      logLimitBytes: undefined,
      pushAllow: [],
      logLevel: 'info',
    })
  })

  test('reads every setting', () => {
    const config = readConfig({
      ...MINIMUM,
      MILLRACE_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
      MILLRACE_ADMIN_TOKEN: 'a-token-that-is-long-enough',
      MILLRACE_HOST: '::1',
      MILLRACE_PORT: '0',
      MILLRACE_ROLES: 'api, push',
      MILLRACE_CONFIG: 'millrace.yaml',
      MILLRACE_RETENTION: '90m',
      MILLRACE_LOG_LIMIT: '50GB',
      MILLRACE_PUSH_ALLOW: '10.0.0.0/8, fd00::/8, 192.168.1.7',
      MILLRACE_LOG_LEVEL: 'debug',
    })

    expect(config).toMatchObject({
      secretKey: Buffer.alloc(32, 7),
      adminToken: 'a-token-that-is-long-enough',
      host: '::1',
      port: 0,
      roles: new Set(['api', 'push']),
      configFile: 'millrace.yaml',
      retentionMs: 5_400_000,
      logLimitBytes: 50 * 2 ** 30,
      pushAllow: ['10.0.0.0/8', 'fd00::/8', '192.168.1.7'],
      logLevel: 'debug',
    })
  })

  test.for(['require', 'verify-ca', 'verify-full', 'disable'])(
    'means by sslmode=%s what libpq means',
    (mode) => {
      const { storageUrl } = readConfig({
        MILLRACE_STORAGE_URL: `postgres://db/millrace?sslmode=${mode}`,
      })

      expect(new URL(storageUrl).searchParams.get('uselibpqcompat')).toBe('true')
      expect(new URL(storageUrl).searchParams.get('sslmode')).toBe(mode)
    },
  )

  test('takes no sslmode that leaves open whether there is TLS', () => {
    expect(explain({ MILLRACE_STORAGE_URL: 'postgres://db/millrace?sslmode=prefer' })).toEqual([
      'MILLRACE_STORAGE_URL must have one of these as its sslmode, or none: disable, require, verify-ca, verify-full',
    ])
  })

  test('knows where a port like tcp://10.0.0.1:4400 comes from', () => {
    expect(explain({ ...MINIMUM, MILLRACE_PORT: 'tcp://10.0.0.1:4400' })).toEqual([
      expect.stringContaining('enableServiceLinks'),
    ])
  })

  test('takes an empty variable for an absent one', () => {
    expect(explain({ ...MINIMUM, MILLRACE_PORT: '', MILLRACE_SECRET_KEY: '' })).toEqual([])
    expect(explain({ MILLRACE_STORAGE_URL: '' })).toEqual(['MILLRACE_STORAGE_URL is missing'])
  })

  test('names everything that is wrong at once, one line each', () => {
    const lines = explain({ MILLRACE_PORT: 'http', MILLRACE_ROLES: 'reader,writer' })

    expect(lines).toEqual([
      'MILLRACE_STORAGE_URL is missing',
      'MILLRACE_PORT must be a number from 0 to 65535',
      'MILLRACE_ROLES must be a list of reader, api, push, separated by commas',
    ])
  })

  test.each([
    ['MILLRACE_STORAGE_URL', 'mysql://root:hunter22@db/millrace'],
    ['MILLRACE_STORAGE_URL', 'hunter22'],
    ['MILLRACE_STORAGE_URL', 'postgres://user:hunter22@db'],
    ['MILLRACE_SECRET_KEY', 'hunter22'],
    ['MILLRACE_ADMIN_TOKEN', 'hunter22'],
    ['MILLRACE_ADMIN_TOKEN', 'hunter22 hunter22 hunter22'],
    ['MILLRACE_PORT', '65536'],
    ['MILLRACE_PORT', '-1'],
    ['MILLRACE_PORT', 'tcp://10.0.0.1:4400'],
    ['MILLRACE_ROLES', ','],
    ['MILLRACE_RETENTION', '7'],
    ['MILLRACE_RETENTION', '5s'],
    ['MILLRACE_LOG_LIMIT', '-5'],
    ['MILLRACE_LOG_LIMIT', 'lots'],
    ['MILLRACE_PUSH_ALLOW', '10.0.0.0/33'],
    ['MILLRACE_PUSH_ALLOW', 'example.com'],
    ['MILLRACE_LOG_LEVEL', 'loud'],
  ])('refuses %s=%s and does not repeat it', (name, value) => {
    const lines = explain({ ...MINIMUM, [name]: value })

    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(new RegExp(`^${name} must `))
    expect(lines[0]).not.toContain('hunter22')
  })
})

describe('a variable that is no setting', () => {
  test.for([
    ['MILLRACE_STORAGE_URI', 'MILLRACE_STORAGE_URI is no setting; MILLRACE_STORAGE_URL is'],
    ['MILLRACE_ROLE', 'MILLRACE_ROLE is no setting; MILLRACE_ROLES is'],
    ['MILLRACE_LOGLEVEL', 'MILLRACE_LOGLEVEL is no setting; MILLRACE_LOG_LEVEL is'],
  ] as const)('is told of where it looks like one: %s', ([name, line]) => {
    expect(listMisspelt({ [name]: 'x' })).toEqual([line])
  })

  test('is let pass where it does not, or is read by a command', () => {
    const environment = {
      MILLRACE_ROLES: 'api',
      MILLRACE_URL: 'http://127.0.0.1:4400',
      MILLRACE_TOKEN: 'x',
      MILLRACE_SHOP_PASSWORD: 'x',
      MILLRACE_PORT_4400_TCP_ADDR: '10.0.0.1',
      STORAGE_URL: 'x',
    }
    expect(listMisspelt(environment)).toEqual([])
  })
})
