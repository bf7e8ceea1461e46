import { randomUUID } from 'node:crypto'

import pg from 'pg'

import { MillraceError } from '../errors.ts'
import { dropLogPartitions, ensureLogPartitions } from '../log/partition.ts'
import type { Database } from '../storage/database.ts'
import { seal } from '../storage/seal.ts'
import { checkSource } from './check-source.ts'
import { connectSource } from './connect-source.ts'
import { expectPassed } from './expect-passed.ts'
import { findSource, notifyConfig, passwordContext, type Source } from './source.ts'
import { dropPublication, dropSlot, makeObjects, type MadeObjects } from './source-objects.ts'
import type { SourceConnection } from './source-settings.ts'

export interface SourceInput {
  readonly name: string
  readonly connection: SourceConnection
  /** Default `millrace_<name>`, with `_` for what a slot's name may not hold. */
  readonly slot?: string
  /** Default `millrace_<name>`. */
  readonly publication?: string
  /** `schema.table` of a publication that is made; null: all. */
  readonly tables?: readonly string[] | null
  /** Default true: make the slot and the publication where they do not exist. */
  readonly create?: boolean
  readonly annotations?: Record<string, unknown>
}

export interface SourceKeys {
  readonly secretKey: Buffer | undefined
}

type NamedInput = SourceInput &
  Required<Pick<SourceInput, 'slot' | 'publication' | 'create'>> & {
    readonly tables: readonly string[] | null
  }

/**
 * Connects a database: checks everything, then makes the publication, the slot and the
 * source. Whatever fails, nothing of it is left behind.
 * @throws MillraceError `source_unreachable`, `source_check_failed`, `slot_in_use`,
 * `name_taken`, `secret_key_missing`
 */
export async function createSource(
  database: Database,
  input: SourceInput,
  { secretKey }: SourceKeys,
): Promise<Source> {
  const named = withDefaults(input)
  const id = randomUUID()
  const sealed =
    input.connection.password === null
      ? null
      : seal(secretKey, input.connection.password, passwordContext(id))
  await expectUnused(database, named)
  expectPassed(await checkSource(named.connection, named))

  const sourceNo = await insertSource(database, id, named, sealed)
  try {
    await ensureLogPartitions(database.pool, sourceNo, 1)
    await makeAndActivate(database, sourceNo, named)
  } catch (error) {
    await removeSource(database, sourceNo)
    throw error
  }
  await notifyConfig(database.db)
  return (await findSource(database.db, id))!
}

/** The names a source gets where it is not told others. */
export function withDefaults(input: SourceInput): NamedInput {
  return {
    ...input,
    slot: input.slot ?? `millrace_${input.name.replaceAll('-', '_')}`.slice(0, 63),
    publication: input.publication ?? `millrace_${input.name}`.slice(0, 63),
    tables: input.tables ?? null,
    create: input.create ?? true,
  }
}

/** Cheap refusals before the source is asked anything; the constraints decide. */
async function expectUnused(database: Database, input: NamedInput): Promise<void> {
  const { rows } = await database.pool.query<{ name: string; same: boolean }>(
    `select name, name = $1 as same from millrace.source
     where name = $1 or (host = $2 and port = $3 and database = $4 and slot = $5) order by 2 desc`,
    [
      input.name,
      input.connection.host,
      input.connection.port,
      input.connection.database,
      input.slot,
    ],
  )
  const other = rows[0]
  if (other?.same) throw nameTaken(input.name)
  if (other) {
    throw new MillraceError(
      'slot_in_use',
      `The slot "${input.slot}" belongs to source "${other.name}".`,
      { errors: [{ pointer: '/slot', detail: 'choose another name' }] },
    )
  }
}

async function insertSource(
  database: Database,
  id: string,
  input: NamedInput,
  sealed: Buffer | null,
): Promise<number> {
  const { connection } = input
  try {
    const { rows } = await database.pool.query<{ source_no: number }>(
      `with made as (
         insert into millrace.source (id, name, host, port, database, username, password_sealed,
           ssl, slot, publication, tables, annotations, phase)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'creating')
         returning source_no)
       insert into millrace.reader (source_no) select source_no from made returning source_no`,
      [
        id,
        input.name,
        connection.host,
        connection.port,
        connection.database,
        connection.user,
        sealed,
        JSON.stringify(connection.ssl),
        input.slot,
        input.publication,
        input.tables,
        JSON.stringify(input.annotations ?? {}),
      ],
    )
    return rows[0]!.source_no
  } catch (error) {
    const taken = error instanceof pg.DatabaseError && error.constraint === 'source_name_is_unique'
    throw taken ? nameTaken(input.name) : error
  }
}

async function makeAndActivate(
  database: Database,
  sourceNo: number,
  input: NamedInput,
): Promise<void> {
  const { client } = await connectSource(input.connection, 'millrace setup')
  let made: MadeObjects | undefined
  try {
    made = await makeObjects(client, input)
    await activate(database, sourceNo, made)
  } catch (error) {
    if (made?.madeSlot) await dropSlot(client, input.slot)
    if (made?.madePublication) await dropPublication(client, input.publication)
    throw error
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** From here on it is read; where the slot begins is written down first. */
async function activate(database: Database, sourceNo: number, made: MadeObjects): Promise<void> {
  await database.db.transaction().execute(async (transaction) => {
    await transaction
      .updateTable('millrace.reader')
      .set({ confirmed_lsn: made.confirmedLsn })
      .where('source_no', '=', sourceNo)
      .execute()
    await transaction
      .updateTable('millrace.source')
      .set({ phase: 'ready', made_slot: made.madeSlot, made_publication: made.madePublication })
      .where('source_no', '=', sourceNo)
      .execute()
  })
}

/** Takes a source out of the storage, with all that was captured from it. */
export async function removeSource(database: Database, sourceNo: number): Promise<void> {
  await dropLogPartitions(database.pool, sourceNo)
  await database.db.transaction().execute(async (transaction) => {
    await transaction.deleteFrom('millrace.position').where('source_no', '=', sourceNo).execute()
    await transaction.deleteFrom('millrace.source').where('source_no', '=', sourceNo).execute()
  })
}

function nameTaken(name: string): MillraceError {
  return new MillraceError('name_taken', `There is a source "${name}" already.`, {
    errors: [{ pointer: '/name', detail: 'choose another name' }],
  })
}
