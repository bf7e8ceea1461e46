import pg from 'pg'

import { MillraceError } from '../errors.ts'
import { sqlStateOf } from './capture-failure.ts'
import { readServerVersion, sqlCreatePublication } from './check-tables.ts'

const CREATE_SLOT_TIMEOUT_MS = 20_000
const DROP_SLOT_TIMEOUT_MS = 15_000
/** Our reader has been told to stop; whoever still holds the slot then is a ghost of it. */
const TERMINATE_AFTER_MS = 5_000
const RETRY_MS = 100
const FAILOVER_VERSION_MIN = 170_000

interface SlotNames {
  readonly slot: string
  readonly publication: string
  readonly tables: readonly string[] | null
}

/** What was made here, and is to be dropped if the rest does not work out. */
export interface MadeObjects {
  readonly madeSlot: boolean
  readonly madePublication: boolean
  /** Where the slot begins, as a number in text. */
  readonly confirmedLsn: string
}

/**
 * Makes, or finds, the publication and then the slot: a slot that is older than its
 * publication stops at the WAL between them. Drops what it made if it cannot finish.
 */
export async function makeObjects(client: pg.Client, names: SlotNames): Promise<MadeObjects> {
  const madePublication = await makePublication(client, names)
  try {
    const madeSlot = await makeSlot(client, names.slot)
    return { madePublication, madeSlot, confirmedLsn: await readConfirmed(client, names.slot) }
  } catch (error) {
    if (madePublication) await dropPublication(client, names.publication)
    throw error
  }
}

async function makePublication(client: pg.Client, names: SlotNames): Promise<boolean> {
  const { rowCount } = await client.query('select from pg_publication where pubname = $1', [
    names.publication,
  ])
  if (rowCount !== 0) return false
  const version = await readServerVersion(client)
  await client.query(sqlCreatePublication(names.publication, names.tables, version))
  return true
}

async function makeSlot(client: pg.Client, slot: string): Promise<boolean> {
  const existing = await client.query<{ active: boolean }>(
    'select active from pg_replication_slots where slot_name = $1',
    [slot],
  )
  if (existing.rows[0]) return false
  const survivesFailover = await mayFailOver(client)
  await client.query(`set statement_timeout = ${CREATE_SLOT_TIMEOUT_MS}`)
  try {
    await client.query(
      `select pg_create_logical_replication_slot($1, 'pgoutput', false, false${survivesFailover ? ', true' : ''})`,
      [slot],
    )
  } catch (error) {
    // A cancelled creation leaves nothing behind.
    throw sqlStateOf(error) === '57014' ? blocked(error) : error
  } finally {
    await client.query('set statement_timeout = 0')
  }
  return true
}

/**
 * Whether a standby that synchronises slots can take this one over. Without such a
 * standby it changes nothing; one that is a standby itself cannot offer it.
 */
async function mayFailOver(client: pg.Client): Promise<boolean> {
  if ((await readServerVersion(client)) < FAILOVER_VERSION_MIN) return false
  const { rows } = await client.query<{ standby: boolean }>('select pg_is_in_recovery() as standby')
  return !rows[0]!.standby
}

function blocked(cause: unknown): MillraceError {
  return new MillraceError(
    'source_check_failed',
    'The slot could not be made: transactions that were open before have to end first.',
    {
      cause,
      errors: [
        {
          pointer: '/slot',
          detail: `see: select pid, xact_start, query from pg_stat_activity where backend_xid is not null order by xact_start;`,
        },
      ],
    },
  )
}

async function readConfirmed(client: pg.Client, slot: string): Promise<string> {
  const { rows } = await client.query<{ lsn: string }>(
    `select (confirmed_flush_lsn - '0/0')::text as lsn
     from pg_replication_slots where slot_name = $1`,
    [slot],
  )
  return rows[0]!.lsn
}

/** Drops what is there; a slot that is in use is waited for. */
export async function dropSlot(client: pg.Client, slot: string): Promise<void> {
  const startedAt = performance.now()
  while (true) {
    try {
      await client.query(
        'select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1',
        [slot],
      )
      return
    } catch (error) {
      const elapsed = performance.now() - startedAt
      if (sqlStateOf(error) !== '55006' || elapsed > DROP_SLOT_TIMEOUT_MS) throw error
      if (elapsed > TERMINATE_AFTER_MS) await terminateReader(client, slot)
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }
}

export async function dropPublication(client: pg.Client, publication: string): Promise<void> {
  await client.query(`drop publication if exists ${pg.escapeIdentifier(publication)}`)
}

async function terminateReader(client: pg.Client, slot: string): Promise<void> {
  await client.query(
    `select pg_terminate_backend(a.pid) from pg_replication_slots s
     join pg_stat_activity a on a.pid = s.active_pid
     where s.slot_name = $1 and a.application_name like 'millrace %'`,
    [slot],
  )
}
