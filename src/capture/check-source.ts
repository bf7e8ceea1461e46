import pg from 'pg'

import { checkSlotLimits, type SlotLimits, type SlotUse } from './check-slot-limits.ts'
import { checkTables, type TableTarget } from './check-tables.ts'
import { connectSource, type ConnectedSource } from './connect-source.ts'
import { describeUnreachable } from './describe-unreachable.ts'
import { DIRECT_PORT, findPoolerFault } from './find-pooler-fault.ts'
import { fail, pass, type SourceCheck } from './source-check.ts'
import type { SourceConnection } from './source-settings.ts'

/** What the source is to be captured with. */
export interface CheckTarget extends TableTarget {
  readonly slot: string
  /** The slot is the source's own already: it is in use by our reader. */
  readonly isOwnSlot?: boolean
}

const VERSION_MIN = 140_000

interface ServerFacts extends SlotLimits {
  version: number
  version_text: string
  wal_level: string
  may_replicate: boolean
  role: string
  slots_free: number
  senders_free: number
  slot: (SlotUse & { plugin: string; database: string }) | null
  database: string
}

/**
 * Looks whether a source can be captured, and changes nothing. A failed check is an
 * answer, not an error; without a connection it is the only one.
 */
export async function checkSource(
  connection: SourceConnection,
  target: CheckTarget,
): Promise<SourceCheck[]> {
  let source: ConnectedSource
  try {
    source = await connectSource(connection, 'millrace check')
  } catch (error) {
    return [fail('reachable', describeUnreachable(connection, error), null)]
  }
  const { client } = source
  try {
    const facts = await readFacts(client, target.slot)
    return [
      pass('reachable', `connected to ${connection.host}:${connection.port} as ${facts.role}`),
      await checkPooler(source),
      checkVersion(facts),
      checkWalLevel(facts),
      checkPrivilege(facts),
      checkSlot(facts, target),
      ...checkSlotLimits(facts, facts.slot, target.slot),
      ...checkRoom(facts, target),
      ...(await checkTables(client, target)),
      await checkOwnStorage(client, target),
    ]
  } catch (error) {
    return [fail('reachable', describeUnreachable(connection, error), null)]
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function readFacts(client: pg.Client, slot: string): Promise<ServerFacts> {
  const { rows } = await client.query<ServerFacts>(
    `select current_setting('server_version_num')::int as version,
       current_setting('server_version') as version_text,
       current_setting('wal_level') as wal_level,
       current_setting('idle_replication_slot_timeout', true) as idle_timeout,
       (select setting::int from pg_settings where name = 'max_slot_wal_keep_size') as wal_keep_mb,
       current_user as role, current_database() as database,
       (select rolreplication or rolsuper from pg_roles where rolname = current_user) as may_replicate,
       (current_setting('max_replication_slots')::int
         - (select count(*) from pg_replication_slots))::int as slots_free,
       (current_setting('max_wal_senders')::int
         - (select count(*) from pg_stat_replication))::int as senders_free,
       (select json_build_object('plugin', plugin, 'database', s.database, 'active', active,
          'wal_status', wal_status, 'safe_wal_size', safe_wal_size,
          'catalog_xmin_age', age(catalog_xmin)) from pg_replication_slots s where slot_name = $1) as slot`,
    [slot],
  )
  return rows[0]!
}

async function checkPooler(source: ConnectedSource): Promise<SourceCheck> {
  const fault = await findPoolerFault(source)
  if (fault === null) return pass('pooler', 'sessions and replication come through')
  return fail('pooler', `${fault}; ${DIRECT_PORT}`, null)
}

function checkVersion({ version, version_text }: ServerFacts): SourceCheck {
  if (version >= VERSION_MIN) return pass('version', `Postgres ${version_text}`)
  return fail('version', `Postgres ${version_text} is too old: 14 or newer is needed`, null)
}

function checkWalLevel({ wal_level }: ServerFacts): SourceCheck {
  if (wal_level === 'logical') return pass('wal_level', 'wal_level is logical')
  return fail(
    'wal_level',
    `wal_level is ${wal_level}, and must be logical; the server has to be started again after the change`,
    `alter system set wal_level = 'logical';`,
  )
}

function checkPrivilege({ may_replicate, role }: ServerFacts): SourceCheck {
  if (may_replicate) return pass('replication_privilege', `role ${role} may replicate`)
  return fail(
    'replication_privilege',
    `role ${role} may not read the WAL`,
    `alter role ${pg.escapeIdentifier(role)} replication;`,
  )
}

function checkSlot({ slot, database }: ServerFacts, target: CheckTarget): SourceCheck {
  const name = target.slot
  if (!slot) {
    if (target.create) return pass('slot', `the slot "${name}" will be made`)
    return fail(
      'slot',
      `the slot "${name}" does not exist`,
      `select pg_create_logical_replication_slot('${name}', 'pgoutput');`,
    )
  }
  if (slot.plugin !== 'pgoutput' || slot.database !== database) {
    return fail(
      'slot',
      `the slot "${name}" is of plugin ${slot.plugin} and database ${slot.database}: choose another name`,
      null,
    )
  }
  if (slot.active && !target.isOwnSlot) {
    return fail('slot', `the slot "${name}" is in use by somebody else`, null)
  }
  if (slot.wal_status === 'lost') {
    const drop = `select pg_drop_replication_slot('${name}');`
    return fail('slot', `the slot "${name}" was invalidated and cannot be read any more`, drop)
  }
  return pass('slot', `the slot "${name}" exists and will be used from where it stands`)
}

function checkRoom(facts: ServerFacts, { isOwnSlot = false }: CheckTarget): SourceCheck[] {
  const { slot } = facts
  const slots = facts.slots_free + (slot ? 1 : 0)
  // The one that our own reader has is there for it.
  const senders = facts.senders_free + (isOwnSlot && slot?.active === true ? 1 : 0)
  return [
    slots > 0
      ? pass('free_slots', `${slots} replication slots are free`)
      : fail(
          'free_slots',
          'all replication slots are taken; the server has to be started again after the change',
          'alter system set max_replication_slots = 20;',
        ),
    senders > 0
      ? pass('free_senders', `${senders} WAL senders are free`)
      : fail(
          'free_senders',
          'all WAL senders are taken; the server has to be started again after the change',
          'alter system set max_wal_senders = 20;',
        ),
  ]
}

/** Capturing what capturing writes never ends. */
async function checkOwnStorage(client: pg.Client, target: CheckTarget): Promise<SourceCheck> {
  const { rows } = await client.query<{ own: boolean; all: boolean }>(
    `select to_regclass('millrace.log') is not null as own,
       coalesce((select puballtables from pg_publication where pubname = $1), $2) as all`,
    [target.publication, target.create && target.tables === null],
  )
  const { own, all } = rows[0]!
  if (!own) return pass('own_storage', 'the storage is in another database')
  if (all) {
    return fail(
      'own_storage',
      'this database holds the storage too, and a publication for all tables would capture the captured: name the tables',
      `create publication ${pg.escapeIdentifier(target.publication)} for table …;`,
    )
  }
  return pass('own_storage', 'the storage is in this database, outside of the publication')
}
