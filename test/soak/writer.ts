import { setTimeout as sleep } from 'node:timers/promises'

import pg from 'pg'

import type { Random } from '../support/random.ts'
import { randomDdl, randomDml, SOAK_TABLES } from './tables.ts'

const STATEMENTS_MAX = 5
const DDL_PROBABILITY = 0.01
const TRUNCATE_PROBABILITY = 0.002
const PAUSE_MS_MAX = 30

export interface WriterCounts {
  committed: number
  rolledBack: number
  /** The connection went; whether the transaction was committed only the source knows. */
  unsure: number
  ddl: number
  truncates: number
}

export function createWriterCounts(): WriterCounts {
  return { committed: 0, rolledBack: 0, unsure: 0, ddl: 0, truncates: 0 }
}

/** Numbers for the names of new columns, which are never used again: shared by all writers. */
export class Serial {
  #last = 0

  next(): number {
    this.#last += 1
    return this.#last
  }
}

/** Writes at random until told to stop, whatever happens to the source meanwhile. */
export async function runWriter(
  readUrl: () => string,
  options: {
    random: Random
    serial: Serial
    counts: WriterCounts
    signal: AbortSignal
  },
): Promise<void> {
  const { random, serial, counts, signal } = options
  let client: pg.Client | undefined
  while (!signal.aborted) {
    try {
      client ??= await open(readUrl())
      await writeTransaction(client, random, serial, counts)
    } catch {
      counts.unsure += 1
      await client?.end().catch(() => undefined)
      client = undefined
    }
    await sleep(random.below(PAUSE_MS_MAX), undefined, { signal }).catch(() => undefined)
  }
  await client?.end().catch(() => undefined)
}

async function open(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 5_000,
    query_timeout: 20_000,
    application_name: 'soak writer',
  })
  client.on('error', () => {})
  await client.connect()
  // What waits for a table whose shape changes gives way; a deadlock ends by itself.
  await client.query(`set lock_timeout = '2s'`)
  return client
}

/** Throws when the connection is gone; what the source refuses is rolled back. */
async function writeTransaction(
  client: pg.Client,
  random: Random,
  serial: Serial,
  counts: WriterCounts,
): Promise<void> {
  await client.query('begin')
  try {
    const statements = 1 + random.below(STATEMENTS_MAX)
    for (let index = 0; index < statements; index += 1) {
      await writeStatement(client, random, serial, counts)
    }
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || !isConnected(error)) throw error
    await client.query('rollback')
    counts.rolledBack += 1
    return
  }
  if (random.chance(0.05)) {
    await client.query('rollback')
    counts.rolledBack += 1
    return
  }
  await client.query('commit')
  counts.committed += 1
}

/** An administrator's shutdown and the like come as answers of the source, too. */
function isConnected({ code }: pg.DatabaseError): boolean {
  return code !== undefined && !code.startsWith('57P')
}

async function writeStatement(
  client: pg.Client,
  random: Random,
  serial: Serial,
  counts: WriterCounts,
): Promise<void> {
  const table = random.pick(SOAK_TABLES)
  const quoted = `"${table.name}"`
  const kind = random.next()
  if (kind < DDL_PROBABILITY) {
    await randomDdl(client, random, quoted, serial.next())
    counts.ddl += 1
    return
  }
  if (kind < DDL_PROBABILITY + TRUNCATE_PROBABILITY && table.mayBeTruncated) {
    await client.query(`truncate ${quoted}`)
    counts.truncates += 1
    return
  }
  const undone = random.chance(0.1)
  if (!undone && random.chance(0.8)) {
    await client.query(randomDml(random, table, quoted))
    return
  }
  await client.query('savepoint inner_one')
  await client.query(randomDml(random, table, quoted))
  await client.query(undone ? 'rollback to inner_one' : 'release inner_one')
}
