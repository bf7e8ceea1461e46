import type pg from 'pg'

import { connectSource } from '../capture/connect-source.ts'
import { sqlStateOf } from '../capture/capture-failure.ts'
import { readSourceSettings } from '../capture/source.ts'
import { MillraceError, type ErrorDetail } from '../errors.ts'
import type { Consumer } from '../queue/consumer.ts'
import { compileTablePatterns, parseTablePattern } from '../queue/selection/table-pattern.ts'
import type { Database } from '../storage/database.ts'
import { refineConflict } from './backfill-store.ts'
import { readBackfill, type Backfill } from './backfill.ts'
import {
  describeTable,
  listPublished,
  UnfitTableError,
  type TableDescription,
} from './describe-table.ts'
import { estimateRows } from './estimate-rows.ts'
import { writeCondition } from './page-query.ts'

export interface BackfillRequest {
  readonly sourceNo: number
  /** Null: for everyone. */
  readonly consumer: Consumer | null
  /** `schema.table`; null: all that the consumer selects. */
  readonly table: string | null
  readonly predicate: string | null
  /** Of the primary key, in its order, as JSON has them. */
  readonly fromKey: readonly (string | number | boolean)[] | null
}

interface Checked {
  readonly schema: string
  readonly table: string
  readonly rowsEstimated: number
}

/**
 * Asks for backfills, one a table. Everything is tried on the source first: what cannot be
 * read is refused here and not hours later.
 * @throws MillraceError `validation_failed`, `conflict`, `source_unreachable`
 */
export async function requestBackfill(
  { db }: Database,
  secretKey: Buffer | undefined,
  request: BackfillRequest,
): Promise<Backfill[]> {
  const { sourceNo, consumer, predicate, fromKey } = request
  const settings = await readSourceSettings(db, sourceNo, secretKey)
  if (!settings) throw new MillraceError('not_found', 'The source was deleted meanwhile.')
  const connected = await connectSource(settings, 'millrace setup').catch((error: unknown) => {
    throw new MillraceError('source_unreachable', `Source "${settings.name}" does not answer.`, {
      cause: error,
    })
  })
  const { client } = connected
  let tables: Checked[]
  try {
    tables = await checkTables(client, settings.publication, request)
  } finally {
    await client.end().catch(() => undefined)
  }
  const rows = await db
    .insertInto('millrace.backfill')
    .values(
      tables.map(({ schema, table, rowsEstimated }) => ({
        source_no: sourceNo,
        consumer_no: consumer?.consumerNo ?? null,
        table_schema: schema,
        table_name: table,
        predicate,
        from_key: fromKey && fromKey.map(String),
        rows_estimated: rowsEstimated,
      })),
    )
    .returningAll()
    .execute()
    .catch((error: unknown) => {
      throw refineConflict(error)
    })
  return rows.map(readBackfill)
}

async function checkTables(
  client: pg.Client,
  publication: string,
  request: BackfillRequest,
): Promise<Checked[]> {
  const names = request.table
    ? [readTable(request.table)]
    : (await listPublished(client, publication)).filter(
        compileTablePatterns(request.consumer?.tables ?? []),
      )
  if (names.length === 0) {
    throw invalid('/table', 'the consumer selects no table that the source captures')
  }
  const takes = request.consumer && compileTablePatterns(request.consumer.tables)
  const checked: Checked[] = []
  for (const name of names) {
    if (takes && !takes(name)) throw invalid('/table', 'the consumer does not select this table')
    const table = await describe(client, publication, name)
    await checkPredicate(client, table, request.predicate)
    const rowsEstimated = await checkFromKey(client, table, request.fromKey)
    checked.push({ ...name, rowsEstimated })
  }
  return checked
}

function readTable(text: string): { schema: string; table: string } {
  const pattern = parseTablePattern(text)
  if (typeof pattern === 'string') throw invalid('/table', pattern)
  if (pattern.kind !== 'table') throw invalid('/table', 'must name one table: schema.table')
  return pattern
}

async function describe(
  client: pg.Client,
  publication: string,
  name: { schema: string; table: string },
): Promise<TableDescription> {
  try {
    return await describeTable(client, publication, name)
  } catch (error) {
    if (error instanceof UnfitTableError) throw invalid('/table', error.message)
    throw error
  }
}

/**
 * What is no expression in one pair of brackets, or in two, breaks out of them; and being
 * prepared, it cannot be several statements.
 */
async function checkPredicate(
  client: pg.Client,
  table: TableDescription,
  predicate: string | null,
): Promise<void> {
  if (predicate === null) return
  for (const written of [`(\n${predicate}\n)`, writeCondition(predicate)]) {
    const text = `explain select from ${table.from} where ${written} and $1::boolean`
    await tryQuery(client, '/where', text, [true])
  }
}

async function checkFromKey(
  client: pg.Client,
  table: TableDescription,
  fromKey: BackfillRequest['fromKey'],
): Promise<number> {
  if (fromKey !== null && fromKey.length !== table.key.length) {
    const detail =
      table.key.length === 0
        ? 'the table has no primary key'
        : `must have a value for each of ${table.key.map(({ name }) => name).join(', ')}`
    throw invalid('/from_key', detail)
  }
  try {
    return await estimateRows(client, table, fromKey && fromKey.map(String))
  } catch (error) {
    throw refineSqlError(error, fromKey === null ? '/table' : '/from_key')
  }
}

async function tryQuery(
  client: pg.Client,
  pointer: string,
  text: string,
  values: unknown[],
): Promise<void> {
  try {
    await client.query(text, values)
  } catch (error) {
    throw refineSqlError(error, pointer)
  }
}

function refineSqlError(error: unknown, pointer: string): unknown {
  return sqlStateOf(error) === '' ? error : invalid(pointer, (error as Error).message)
}

function invalid(pointer: string, detail: string): MillraceError {
  const errors: ErrorDetail[] = [{ pointer, detail }]
  return new MillraceError('validation_failed', `${pointer.slice(1)}: ${detail}`, { errors })
}
