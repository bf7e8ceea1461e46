import { readFile } from 'node:fs/promises'

import { describe, expect, test } from 'vitest'

import { ConfigurationFileError } from '../../src/configuration/configuration-error.ts'
import { createFileSchema } from '../../src/configuration/json-schema.ts'
import { readConfiguration } from '../../src/configuration/read-configuration.ts'
import { MillraceError } from '../../src/errors.ts'
import { findBlocks, readDocument } from '../docs/documents.ts'

const read = (text: string, environment: Record<string, string> = {}) =>
  readConfiguration('millrace.yaml', text, environment)

function readLines(text: string, environment: Record<string, string> = {}): readonly string[] {
  try {
    read(text, environment)
  } catch (error) {
    if (error instanceof ConfigurationFileError) return error.lines
    throw error
  }
  return []
}

describe('a configuration file', () => {
  test('has sources, consumers and tokens by name', () => {
    const { configuration } = read(`
sources:
  shop: {url: postgres://me@db/shop}
consumers:
  shipping:
    source: shop
    tables: [public.orders]
tokens:
  shipping service: {scopes: [consume], consumers: [shipping]}
`)
    expect(configuration).toEqual({
      sources: { shop: { url: 'postgres://me@db/shop' } },
      consumers: { shipping: { source: 'shop', tables: ['public.orders'] } },
      tokens: {
        'shipping service': { scopes: ['consume'], consumers: ['shipping'], expires_at: null },
      },
    })
    expect(read('').configuration).toEqual({})
  })

  test('takes values from variables, defaults and $$', () => {
    const { configuration } = read(
      `
sources:
  shop:
    host: \${HOST:-localhost}
    port: \${PORT}
    database: "\${DB}_\${STAGE:-test}"
    user: \${EMPTY:-me}
    password: \${PASSWORD}
    create: \${CREATE:-false}
    annotations: {price: 5$, cost: $$5, literal: '$\${HOST}'}
`,
      { PORT: '5433', DB: 'shop', EMPTY: '', PASSWORD: '12345' },
    )
    expect(configuration.sources!['shop']).toEqual({
      host: 'localhost',
      port: 5433,
      database: 'shop_test',
      user: 'me',
      // Digits are a number only where a number is wanted.
      password: '12345',
      create: false,
      annotations: { price: '5$', cost: '$5', literal: '${HOST}' },
    })
  })

  test('is safe from what a variable holds', () => {
    const { configuration } = read('sources:\n  shop: {host: "${HOST}", database: d, user: u}', {
      HOST: 'a, password: stolen}\nconsumers: {}',
    })
    expect(configuration.sources!['shop']).toEqual({
      host: 'a, password: stolen}\nconsumers: {}',
      database: 'd',
      user: 'u',
    })
    expect(configuration.consumers).toBeUndefined()
  })

  test('shares settings by anchors', () => {
    const { configuration } = read(`
consumers:
  a: &base {source: shop, tables: [public.orders]}
  b: {<<: *base, max_deliveries: 5}
`)
    expect(configuration.consumers!['b']).toEqual({
      source: 'shop',
      tables: ['public.orders'],
      max_deliveries: 5,
    })
  })

  test.for([
    [
      'consumer:\n  a: 1',
      'millrace.yaml:1:1: consumer is not a setting; did you mean "consumers"?',
    ],
    [
      'consumers:\n  a:\n    source: shop\n    tables: ["*"]\n    max_delivery: 3',
      'millrace.yaml:5:5: consumers.a.max_delivery is not a setting; did you mean "max_deliveries"?',
    ],
    [
      'consumers:\n  a:\n    source: shop\n    tables: ["*"]\n    push:\n      url: https://a.example\n      timeout: 3',
      'millrace.yaml:7:7: consumers.a.push.timeout is not a setting',
    ],
    [
      'consumers:\n  a:\n    source: shop\n    tables: ["*"]\n    ordering: grop',
      'millrace.yaml:5:15: consumers.a.ordering must be one of group, none; did you mean "group"?',
    ],
    [
      'consumers:\n  a:\n    source: shop\n    tables: ["*"]\n    max_in_flight: many',
      'millrace.yaml:5:20: consumers.a.max_in_flight must be a number, not a string',
    ],
    ['consumers:\n  a:\n    source: shop', 'millrace.yaml:3:5: consumers.a.tables is missing'],
    ['sources:\n  shop:\n    host: ${NOPE}', 'millrace.yaml:3:11: the variable NOPE is not set'],
    ['sources:\n  shop: {host: ${NOPE}}', 'needs quotes: "${NAME}"'],
    ['sources:\n  shop: {host: "${not a name}"}', 'is no variable'],
    ['sources:\n  shop: {}\n  shop: {}', 'millrace.yaml:3:3: Map keys must be unique'],
    ['sources:\n  Shop: {}', 'must be 1 to 63 characters of a-z'],
    ['- a', 'millrace.yaml:1:1: '],
    ['a: [', 'millrace.yaml:1:'],
  ] as const)('is refused: %j', ([text, expected]) => {
    expect(readLines(text).join('\n')).toContain(expected)
  })

  test('tells all faults at once', () => {
    const text =
      'sources:\n  a: {hots: x}\nconsumers:\n  b: {source: a}\ntokens:\n  c: {scopes: []}'
    expect(readLines(text).map((line) => line.split(': ')[0])).toEqual([
      'millrace.yaml:2:7',
      'millrace.yaml:4:6',
      'millrace.yaml:6:15',
    ])
  })

  test('is where faults found by the server are looked up', () => {
    const { locate } = read('consumers:\n  a:\n    source: shop\n    tables: [public.orders]')
    const error = new MillraceError('validation_failed', 'no', {
      errors: [{ pointer: '/consumers/a/source', detail: 'there is no source "shop"' }],
    })
    expect(locate(error).lines).toEqual([
      'millrace.yaml:3:13: consumers.a.source there is no source "shop"',
    ])
  })
})

describe('the document', () => {
  test('shows a file that is one', async () => {
    const [text = ''] = findBlocks(await readDocument('docs/configuration.md'), 'yaml')
    const environment = {
      SHOP_URL: 'postgres://me@db/shop',
      INVOICING_KEY: 'key',
      PIPELINE_TOKEN: `mr_${'0'.repeat(12)}_${'0'.repeat(64)}`,
    }
    const { configuration } = read(text, environment)
    expect(configuration.consumers!['shipping']).toMatchObject({ max_deliveries: 20 })
    expect(Object.keys(configuration.tokens!)).toEqual(['shipping service', 'pipeline'])
  })
})

describe('the JSON Schema', () => {
  test('is the one that is committed', async () => {
    const file = new URL('../../docs/millrace.schema.json', import.meta.url)
    expect(`${JSON.stringify(createFileSchema(), null, 2)}\n`).toBe(await readFile(file, 'utf8'))
  })
})
