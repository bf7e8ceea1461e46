import { describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'

import { readConfiguration } from '../../src/configuration/read-configuration.ts'
import { DATABASE_REASONS } from '../../src/sequin/import-databases.ts'
import { importSequin, SECTION_REASONS } from '../../src/sequin/import-sequin.ts'
import { SINK_REASONS } from '../../src/sequin/import-sinks.ts'
import { readDocument } from '../docs/documents.ts'
import { runCommand } from '../support/run-cli.ts'

const FILE = `
account: {name: Configured}
users: [{email: a@example.com, password: x}]
api_tokens: [{name: ci, token: secret-of-sequin}]
databases:
  - name: Shop DB
    hostname: \${DB_HOST:-localhost}
    port: 5433
    database: shop
    username: me
    password: "pa$$word"
    ssl: true
    pool_size: 10
    slot: {name: sequin_slot, create_if_not_exists: true}
    publication: {name: sequin_pub, create_if_not_exists: true}
http_endpoints:
  - name: shipping
    url: https://shipping.example/hooks
    headers: [{key: x-team, value: a}, {key: User-Agent, value: b}]
    encrypted_headers: [{key: authorization, value: "\${SHIPPING_AUTH}"}]
functions: [{name: f, type: filter, code: "true"}]
change_retentions: [{name: r}]
sinks:
  - name: Orders.Pull
    database: Shop DB
    table: orders
    actions: [insert, update]
    destination: {type: sequin_stream}
    batch_size: 5
    ack_wait_ms: 60000
    max_ack_pending: 500000
    max_retry_count: 8
    filters:
      - {column_name: total, operator: ">", comparison_value: 100}
      - {column_name: meta, field_path: a.b, operator: in, comparison_value: [x, y]}
      - {column_name: gone_at, operator: is null}
    transform: f
    timestamp_format: unix_microsecond
    surprise: 1
  - name: shipping
    database: Shop DB
    source: {exclude_schemas: [audit], exclude_tables: [public.secrets]}
    message_grouping: false
    initial_backfill: true
    filter: f
    status: paused
    destination: {type: webhook, http_endpoint: shipping, http_endpoint_path: /orders, batch: true}
    batch_size: 20
  - name: events
    database: Shop DB
    tables: [{name: public.a, group_column_names: [x]}, {name: b, group_column_names: [x]}]
    destination: {type: sequin_stream}
  - name: stream
    database: Shop DB
    destination: {type: kafka, hosts: x}
`

describe('a sequin.yaml', () => {
  const { configuration, notes } = importSequin(FILE)
  const noteOf = (option: string) => notes.find((each) => each.option === option)?.note

  test('becomes sources, consumers and tokens', () => {
    expect(configuration).toEqual({
      sources: {
        'shop-db': {
          host: '${DB_HOST:-localhost}',
          port: 5433,
          database: 'shop',
          user: 'me',
          password: 'pa$$$$word',
          ssl: { mode: 'require' },
          publication: 'sequin_pub',
        },
      },
      consumers: {
        'orders-pull': {
          source: 'shop-db',
          tables: ['public.orders'],
          actions: ['insert', 'update'],
          filter: 'record.total > 100 && record.meta.a.b in ["x", "y"] && record.gone_at == null',
          visibility_timeout_ms: 60_000,
          max_in_flight: 100_000,
          max_deliveries: 8,
        },
        shipping: {
          source: 'shop-db',
          tables: ['*'],
          filter:
            '!(metadata.table_schema == "audit" || (metadata.table_schema == "public" && metadata.table_name == "secrets"))',
          mode: 'push',
          push: {
            url: 'https://shipping.example/hooks/orders',
            batch_size: 20,
            headers: { 'x-team': 'a', authorization: '${SHIPPING_AUTH}' },
          },
          start_from: 'backfill',
          ordering: 'none',
        },
        events: { source: 'shop-db', tables: ['public.a', 'public.b'], group_by: ['x'] },
      },
      tokens: { ci: { scopes: ['consume', 'read'] } },
    })
  })

  test('is a configuration that Millrace takes', () => {
    const read = readConfiguration('millrace.yaml', stringify(configuration), {
      SHIPPING_AUTH: 'Bearer 1',
    })
    expect(read.configuration.sources!['shop-db']).toMatchObject({
      host: 'localhost',
      password: 'pa$$word',
    })
  })

  test('loses nothing silently', () => {
    expect(notes.map(({ option }) => option).toSorted()).toEqual(
      [
        'account',
        'users',
        'functions',
        'change_retentions',
        'api_tokens.ci',
        'api_tokens.ci.token',
        'databases.Shop DB.name',
        'databases.Shop DB.pool_size',
        'databases.Shop DB.slot.name',
        'http_endpoints.shipping.headers.User-Agent',
        'sinks.Orders.Pull.name',
        'sinks.Orders.Pull.batch_size',
        'sinks.Orders.Pull.max_ack_pending',
        'sinks.Orders.Pull.max_retry_count',
        'sinks.Orders.Pull.transform',
        'sinks.Orders.Pull.timestamp_format',
        'sinks.Orders.Pull.surprise',
        'sinks.shipping.filter',
        'sinks.shipping.status',
        'sinks.stream.destination',
      ].toSorted(),
    )
    expect(noteOf('sinks.shipping.filter')).toContain('ALL messages come')
    expect(noteOf('sinks.Orders.Pull.surprise')).toContain('not an option that is known')
    expect(JSON.stringify({ configuration, notes })).not.toContain('secret-of-sequin')
  })

  test.for([
    ['sinks', SINK_REASONS],
    ['databases', DATABASE_REASONS],
  ] as const)(
    'tells the reason of each option of its %s that stays behind',
    ([section, reasons]) => {
      const entry = { name: 'one', destination: { type: 'sequin_stream' } }
      const file = {
        [section]: [
          { ...entry, ...Object.fromEntries(Object.keys(reasons).map((key) => [key, 1])) },
        ],
      }
      const told = importSequin(stringify(file)).notes.map(({ note }) => note)
      for (const reason of Object.values(reasons)) expect(told).toContain(reason)
    },
  )

  test('tells the reason of each section that stays behind', () => {
    const file = Object.fromEntries(Object.keys(SECTION_REASONS).map((key) => [key, []]))
    expect(importSequin(stringify(file)).notes.map(({ note }) => note)).toEqual(
      Object.values(SECTION_REASONS),
    )
  })

  test('has each of its options told of in the document', async () => {
    const document = await readDocument('docs/migrating-from-sequin.md')
    const options = [SINK_REASONS, DATABASE_REASONS, SECTION_REASONS].flatMap(Object.keys)
    for (const option of options) expect(document).toContain(`\`${option}`)
  })

  test('of the older kind has pull and push consumers', () => {
    const old = importSequin(`
databases: [{name: shop, url: "postgres://me@db/shop"}]
http_endpoints: [{name: e, url: "https://e.example/"}]
http_pull_consumers: [{name: pull, table: public.orders, max_waiting: 20, max_deliver: 3}]
http_push_consumers: [{name: push, table: public.orders, http_endpoint: e, ack_wait_ms: 5000}]
`)
    expect(old.configuration.consumers).toEqual({
      pull: { source: 'shop', tables: ['public.orders'], max_waiting: 20, max_deliveries: 3 },
      push: {
        source: 'shop',
        tables: ['public.orders'],
        mode: 'push',
        push: { url: 'https://e.example/', timeout_ms: 5000 },
      },
    })
  })

  test('that is none is refused', () => {
    expect(() => importSequin('- a')).toThrow('no sections')
    expect(() => importSequin('a: [')).toThrow(/Flow sequence/)
  })
})

describe('millrace import', () => {
  test('writes the file, and tells the rest on stderr', async () => {
    const { code, out, errors } = await runCommand({}, ['import', '-'], { stdin: FILE })

    expect(code).toBe(0)
    expect(parse(out.join('\n'))).toEqual(importSequin(FILE).configuration)
    expect(errors).toContain('databases.Shop DB.pool_size: a source has one connection')
    const json = await runCommand({}, ['import', '-', '--json'], { stdin: FILE })
    expect(JSON.parse(json.out[0]!)).toEqual(importSequin(FILE))
  })

  test('refuses what is none, and what is not there', async () => {
    expect(await runCommand({}, ['import', '-'], { stdin: '- a' })).toMatchObject({
      code: 2,
      errors: expect.stringContaining('no sections'),
    })
    expect((await runCommand({}, ['import', '/nowhere.yaml'])).code).toBe(2)
  })
})
