import pg from 'pg'

import type { Database } from './database.ts'
import { findPooler, isPoolerRefusal, type Pooler } from './find-pooler.ts'
import { findPendingMigrations } from './migrate.ts'

/** One thing that must be so for the storage to hold log and queues. */
export interface StorageCheck {
  readonly name:
    | 'reachable'
    | 'pooler'
    | 'version'
    | 'encoding'
    | 'writable'
    | 'durable'
    | 'connections'
    | 'privileges'
    | 'migrations'
    | 'secrets'
  readonly status: 'pass' | 'warn' | 'fail'
  readonly detail: string
  /** What mends it, to be run on the storage; null: nothing to run. */
  readonly sql: string | null
}

interface StorageFacts {
  version: number
  version_text: string
  encoding: string
  database: string
  role: string
  is_standby: boolean
  is_read_only: boolean
  fsync: string
  full_page_writes: string
  connections_free: number
  has_schema: boolean
  may_create_schema: boolean
  may_change_schema: boolean
}

const VERSION_MIN = 140_000
/** What one process opens, with a little room for people. */
const CONNECTIONS_FREE_MIN = 15

const READ_FACTS = `
select current_setting('server_version_num')::int as version,
  current_setting('server_version') as version_text,
  current_setting('server_encoding') as encoding,
  current_database() as database, current_user as role,
  pg_is_in_recovery() as is_standby,
  current_setting('transaction_read_only') = 'on' as is_read_only,
  current_setting('fsync') as fsync, current_setting('full_page_writes') as full_page_writes,
  (current_setting('max_connections')::int
    - (select count(*) from pg_stat_activity where backend_type = 'client backend'))::int as connections_free,
  n.oid is not null as has_schema,
  has_database_privilege(current_database(), 'create') as may_create_schema,
  coalesce(pg_has_role(n.nspowner, 'usage'), true) as may_change_schema
from (select 1) as one left join pg_namespace n on n.nspname = 'millrace'`

/**
 * Looks whether a database can hold log and queues, and changes nothing. Without a
 * connection that is the only check.
 * @param hasSecretKey whether what is sealed can be read; undefined: not asked about
 */
export async function checkStorage(
  database: Database,
  hasSecretKey?: boolean,
): Promise<StorageCheck[]> {
  try {
    const { pooler, ...facts } = await readFacts(database)
    return [
      pass('reachable', `connected to ${facts.database} as ${facts.role}`),
      checkPooler(pooler),
      checkVersion(facts),
      checkEncoding(facts),
      checkWritable(facts),
      checkDurable(facts),
      checkConnections(facts),
      checkPrivileges(facts),
      await checkMigrations(database),
      ...(hasSecretKey === undefined ? [] : [await checkSecrets(database, hasSecretKey)]),
    ]
  } catch (error) {
    return [fail('reachable', `the storage does not let us in: ${reasonOf(error)}`)]
  }
}

async function readFacts({ pool, url }: Database): Promise<StorageFacts & { pooler: Pooler }> {
  const client = await pool.connect()
  try {
    const { rows } = await client.query<StorageFacts>(READ_FACTS)
    return { ...rows[0]!, pooler: await findPooler(client, { connectionString: url }) }
  } finally {
    client.release()
  }
}

/** Which process reads a source, and who hears of news, hangs on locks and LISTEN of a session. */
function checkPooler(pooler: Pooler): StorageCheck {
  if (pooler === 'none') return pass('pooler', 'no pooler answers in place of Postgres')
  if (pooler === 'session') return pass('pooler', 'the pooler in between keeps sessions')
  return fail(
    'pooler',
    'a pooler in transaction mode answers, where locks, LISTEN and settings of a session get lost: use the direct port of Postgres, or session mode',
  )
}

function checkVersion({ version, version_text }: StorageFacts): StorageCheck {
  if (version >= VERSION_MIN) return pass('version', `Postgres ${version_text}`)
  return fail('version', `Postgres ${version_text} is too old: 14 or newer is needed`)
}

function checkEncoding({ encoding, database }: StorageFacts): StorageCheck {
  if (encoding === 'UTF8') return pass('encoding', 'texts are stored as UTF-8')
  return fail(
    'encoding',
    `the database "${database}" stores ${encoding}, and must store UTF8: use another one`,
    `create database millrace encoding 'UTF8' template template0;`,
  )
}

function checkWritable({ is_standby, is_read_only, role }: StorageFacts): StorageCheck {
  if (is_standby) return fail('writable', 'this is a standby: name the primary')
  if (!is_read_only) return pass('writable', 'it can be written to')
  return fail(
    'writable',
    `transactions of role ${role} are read-only`,
    `alter role ${pg.escapeIdentifier(role)} set default_transaction_read_only = off;`,
  )
}

/** The log is where a change lives on once the source's slot has moved. */
function checkDurable({ fsync, full_page_writes }: StorageFacts): StorageCheck {
  const off = [
    ...(fsync === 'on' ? [] : ['fsync']),
    ...(full_page_writes === 'on' ? [] : ['full_page_writes']),
  ]
  if (off.length === 0) return pass('durable', 'what is committed survives a crash')
  return {
    name: 'durable',
    status: 'warn',
    detail: `${off.join(' and ')} ${off.length === 1 ? 'is' : 'are'} off: a crash of the machine can lose changes`,
    sql: [...off.map((name) => `alter system set ${name} = on;`), 'select pg_reload_conf();'].join(
      '\n',
    ),
  }
}

function checkConnections({ connections_free }: StorageFacts): StorageCheck {
  if (connections_free >= CONNECTIONS_FREE_MIN) {
    return pass('connections', `${connections_free} connections are free`)
  }
  return {
    name: 'connections',
    status: connections_free > 0 ? 'warn' : 'fail',
    detail: `${connections_free} connections are free, and a process takes up to ${CONNECTIONS_FREE_MIN}; the server has to be started again after the change`,
    sql: 'alter system set max_connections = 200;',
  }
}

function checkPrivileges(facts: StorageFacts): StorageCheck {
  const { has_schema, may_create_schema, may_change_schema, role, database } = facts
  if (!has_schema && !may_create_schema) {
    return fail(
      'privileges',
      `role ${role} may not make the schema "millrace"`,
      `grant create on database ${pg.escapeIdentifier(database)} to ${pg.escapeIdentifier(role)};`,
    )
  }
  if (!may_change_schema) {
    return fail(
      'privileges',
      `the schema "millrace" belongs to another role than ${role}`,
      `alter schema millrace owner to ${pg.escapeIdentifier(role)}; -- and what is in it`,
    )
  }
  return pass('privileges', `role ${role} may do what is needed`)
}

async function checkMigrations(database: Database): Promise<StorageCheck> {
  const { pending, unknown } = await findPendingMigrations(database)
  if (unknown !== undefined) {
    return fail('migrations', `a newer Millrace has migrated the storage (it has "${unknown}")`)
  }
  if (pending.length === 0) return pass('migrations', 'the storage is up to date')
  return {
    name: 'migrations',
    status: 'warn',
    detail: `${pending.length} migrations are to be applied: the server does so when it starts, or \`millrace migrate\``,
    sql: null,
  }
}

async function checkSecrets({ pool }: Database, hasSecretKey: boolean): Promise<StorageCheck> {
  if (hasSecretKey) return pass('secrets', 'there is a key for passwords and push secrets')
  const { rows: tables } = await pool.query(
    "select where to_regclass('millrace.source') is not null",
  )
  const { rows } = await pool.query<{ count: number }>(
    tables.length === 0
      ? 'select 0 as count'
      : 'select count(password_sealed)::int as count from millrace.source',
  )
  const count = rows[0]?.count ?? 0
  return {
    name: 'secrets',
    status: count > 0 ? 'fail' : 'warn',
    detail:
      count > 0
        ? `MILLRACE_SECRET_KEY is missing: ${count} passwords of sources cannot be read, and none be stored`
        : 'MILLRACE_SECRET_KEY is missing: no password of a source can be stored',
    sql: null,
  }
}

function pass(name: StorageCheck['name'], detail: string): StorageCheck {
  return { name, status: 'pass', detail, sql: null }
}

function fail(name: StorageCheck['name'], detail: string, sql: string | null = null): StorageCheck {
  return { name, status: 'fail', detail, sql }
}

/** Several failed addresses come as one error without a message. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ')
  if (isPoolerRefusal(error)) return `${error.message} (a pooler answers: use the direct port)`
  return error instanceof Error && error.message !== '' ? error.message : 'no answer'
}
