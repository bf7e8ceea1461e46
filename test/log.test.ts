import { Writable } from 'node:stream'

import { describe, expect, test } from 'vitest'

import { createLogger, type LogLevel } from '../src/log.ts'

function openLog(options: { level?: LogLevel; pretty?: boolean } = {}) {
  let text = ''
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString()
      done()
    },
  })
  const logger = createLogger({ level: 'debug', pretty: false, stream, ...options })
  const readLine = (): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>
  return { logger, readText: () => text, readLine }
}

describe('createLogger', () => {
  test('writes one JSON object a line', () => {
    const { logger, readText } = openLog()

    logger.info('first\nline', { count: 1 })
    logger.warn('second')

    const lines = readText().trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: 'info', message: 'first\nline', count: 1 },
      { level: 'warn', message: 'second' },
    ])
  })

  test('leaves out what is below its level', () => {
    const { logger, readText } = openLog({ level: 'warn' })

    logger.debug('a')
    logger.info('b')
    logger.error('c')

    expect(readText()).not.toMatch(/"[ab]"/)
    expect(readText()).toContain('"c"')
  })

  test('hides what is named like a secret, however deep', () => {
    const { logger, readText } = openLog()

    logger.info('x', {
      password: 'hunter22',
      adminToken: 'hunter22',
      nested: [{ Authorization: 'hunter22', client_secret: 'hunter22', apiKey: 'hunter22' }],
      secretKey: Buffer.from('hunter22'),
    })

    expect(readText()).not.toContain('hunter22')
    expect(readText()).toContain('***')
  })

  test('hides passwords in URLs and tokens in texts, in messages and errors too', () => {
    const { logger, readText } = openLog()
    const url = 'postgres://me:hunter22@db/shop'

    logger.error(`cannot reach ${url}`, {
      url,
      error: new Error(`no ${url}`, { cause: new Error('sent Bearer hunter22') }),
      token_text: 'mr_0123456789ab_hunter22',
    })

    expect(readText()).not.toContain('hunter22')
    expect(readText()).toContain('postgres://me:***@db/shop')
  })

  test('keeps what only sounds like a secret', () => {
    const { logger, readLine } = openLog()

    logger.info('x', { tokens: 3, monkey: 'yes' })

    expect(readLine()).toMatchObject({ tokens: 3, monkey: 'yes' })
  })

  test('writes errors with their stack and cause', () => {
    const { logger, readLine } = openLog()

    logger.error('x', { error: new TypeError('outer', { cause: new Error('inner') }) })

    expect(readLine()['error']).toMatchObject({
      name: 'TypeError',
      message: 'outer',
      stack: expect.stringContaining('log.test.ts'),
      cause: { message: 'inner' },
    })
  })

  test('survives whatever it is handed', () => {
    const { logger, readLine } = openLog()
    const circular: Record<string, unknown> = {}
    circular['self'] = circular

    logger.info('x', {
      circular,
      big: 2n ** 70n,
      buffer: Buffer.alloc(1000),
      map: new Map([['a', 1]]),
      at: new Date(Number.NaN),
      run: () => 1,
      long: 'x'.repeat(100_000),
      many: Array.from({ length: 10_000 }, (_, index) => index),
    })

    expect(readLine()).toMatchObject({ big: '1180591620717411303424', buffer: '<1000 bytes>' })
    expect(JSON.stringify(readLine()).length).toBeLessThan(20_000)
  })

  test('writes a readable line for people', () => {
    const { logger, readText } = openLog({ pretty: true })

    logger.info('listening', { address: 'http://127.0.0.1:4400', note: 'two words' })

    expect(readText()).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} info {2}listening address=http:\/\/127\.0\.0\.1:4400 note="two words"\n$/,
    )
  })
})
