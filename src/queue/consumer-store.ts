import { randomUUID } from 'node:crypto'

import { sql, type Insertable, type Selectable } from 'kysely'
import pg from 'pg'

import { MillraceError, type ErrorDetail } from '../errors.ts'
import type { Db } from '../storage/database.ts'
import { CONFIG_CHANNEL } from '../storage/notifications.ts'
import type { ConsumerTable, PushConfig } from '../storage/schema-types.ts'
import type { Consumer } from './consumer.ts'
import {
  isId,
  type ConsumerPatch,
  type ConsumerPut,
  type ConsumerSettings,
  type PushSettings,
} from './consumer-settings.ts'
import { listRelations } from './list-relations.ts'
import { readConsumer } from './read-consumer.ts'
import { checkSelection } from './selection/check-selection.ts'
import { findStartCursor } from './start-cursor.ts'

/** The first key of the lock that ticks and changes of a consumer take turns by; as in `commit_tick`. */
const CONSUMER_LOCK = 1_297_239_634

/** A consumer as it is stored. */
export interface StoredConsumer extends Consumer {
  /** Name of the source. */
  readonly source: string
  /** Headers and signing secrets, sealed. */
  readonly pushSealed: Buffer | null
}

/** Where the sealed secrets of a webhook belong: see `seal`. */
export function pushContext(consumerId: string): string {
  return `consumer:${consumerId}:push`
}

export interface ConsumerStoreOptions {
  /** What to keep sealed for the webhook of a consumer; `before` is what is kept now. */
  sealPush: (consumerId: string, push: PushSettings | null, before: Buffer | null) => Buffer | null
}

/** The columns that a caller can set. */
type ConsumerColumns = Omit<ConsumerSettings, 'source' | 'push'> & { push: PushConfig | null }

/** What a setting is when it is left out. */
export const DEFAULTS: Omit<ConsumerColumns, 'tables'> = {
  actions: ['insert', 'update', 'delete'],
  filter: null,
  columns: null,
  kind: 'changes',
  mode: 'pull',
  push: null,
  start_from: 'now',
  visibility_timeout_ms: 30_000,
  max_in_flight: 10_000,
  max_waiting: 100,
  max_deliveries: null,
  ordering: 'group',
  group_by: null,
  annotations: {},
}

export interface ListConsumersOptions {
  limit: number
  /** Name of the last consumer of the page before. */
  after?: string
  /** Only these names. */
  names?: readonly string[]
}

/** By name. */
export async function listConsumers(
  db: Db,
  options: ListConsumersOptions,
): Promise<StoredConsumer[]> {
  let query = selectConsumers(db).orderBy('consumer.name').limit(options.limit)
  if (options.after !== undefined) query = query.where('consumer.name', '>', options.after)
  if (options.names) query = query.where('consumer.name', 'in', ['', ...options.names])
  return (await query.execute()).map(readStored)
}

export async function findStoredConsumer(
  db: Db,
  idOrName: string,
): Promise<StoredConsumer | undefined> {
  const row = await selectConsumers(db)
    .where(isId(idOrName) ? 'consumer.id' : 'consumer.name', '=', idOrName)
    .executeTakeFirst()
  return row && readStored(row)
}

/**
 * Creates a consumer with its cursor.
 * @throws MillraceError `name_taken`, `validation_failed`
 */
export async function createConsumer(
  db: Db,
  name: string,
  settings: ConsumerPut,
  options: ConsumerStoreOptions,
): Promise<StoredConsumer> {
  const source = await findSource(db, settings.source)
  const columns = fillSettings(settings)
  await checkColumns(db, columns, source.source_no)
  const id = randomUUID()
  const pushSealed = options.sealPush(id, settings.push ?? null, null)
  try {
    return await inTransaction(db, async (trx) => {
      const cursor = await findStartCursor(trx, source.source_no, columns.start_from)
      const { consumer_no } = await trx
        .insertInto('millrace.consumer')
        .values({
          ...toRow(columns),
          id,
          name,
          source_no: source.source_no,
          push_sealed: pushSealed,
          start_seq: cursor,
        })
        .returning('consumer_no')
        .executeTakeFirstOrThrow()
      await trx
        .insertInto('millrace.tick')
        .values({
          consumer_no,
          version: 1,
          writer: 0,
          cursor_seq: cursor,
          lease_floor: 1,
          next_lease_no: 1,
        })
        .execute()
      if (columns.start_from === 'backfill' || columns.kind === 'rows') {
        const { source_no } = source
        await trx.insertInto('millrace.backfill').values({ source_no, consumer_no }).execute()
      }
      await notifyConfig(trx)
      return readConsumerNo(trx, consumer_no)
    })
  } catch (error) {
    throw refineError(error, name)
  }
}

/**
 * Changes the settings that are given and leaves the others alone.
 * @throws MillraceError `validation_failed`
 */
export function patchConsumer(
  db: Db,
  idOrName: string,
  patch: ConsumerPatch,
  options: ConsumerStoreOptions,
): Promise<StoredConsumer | undefined> {
  return changeSettings(db, idOrName, patch, {}, options)
}

/**
 * Creates the consumer, or gives it exactly these settings: what is left out goes
 * back to its default. What is fixed at creation and the webhook's headers and
 * secrets stay when left out.
 * @throws MillraceError `validation_failed`, `conflict`
 */
export async function putConsumer(
  db: Db,
  idOrName: string,
  settings: ConsumerPut,
  options: ConsumerStoreOptions,
): Promise<{ consumer: StoredConsumer; isNew: boolean } | undefined> {
  const { kind: _kind, start_from: _startFrom, ...resettable } = DEFAULTS
  const replaced = await changeSettings(db, idOrName, settings, resettable, options)
  if (replaced) return { consumer: replaced, isNew: false }
  // Ids are made here: one that nobody has cannot be asked for.
  if (isId(idOrName)) return undefined
  return { consumer: await createConsumer(db, idOrName, settings, options), isNew: true }
}

async function changeSettings(
  db: Db,
  idOrName: string,
  given: ConsumerPatch,
  base: Partial<ConsumerColumns>,
  options: ConsumerStoreOptions,
): Promise<StoredConsumer | undefined> {
  return changeConsumer(db, idOrName, async (trx, before) => {
    const source = given.source === undefined ? undefined : await findSource(trx, given.source)
    checkFixed(before, source?.source_no, given)
    const { source: _source, push, ...rest } = withoutUndefined(given)
    const columns: ConsumerColumns = {
      ...toColumns(before),
      ...base,
      ...rest,
      ...(push === undefined ? {} : { push: push && fillPush(push) }),
    }
    await checkColumns(trx, columns, before.sourceNo)
    const keepsPush = push === undefined && columns.push !== null
    return {
      ...toRow(columns),
      ...(keepsPush
        ? {}
        : { push_sealed: options.sealPush(before.id, push ?? null, before.pushSealed) }),
    }
  })
}

/** Until a time, or until resumed. Its receives wait, then answer nothing. */
export function pauseConsumer(
  db: Db,
  idOrName: string,
  options: { until?: Date | undefined; reason?: string | undefined },
): Promise<StoredConsumer | undefined> {
  return changeConsumer(db, idOrName, () => ({
    paused_until: options.until ?? 'infinity',
    pause_reason: options.reason ?? null,
  }))
}

export function resumeConsumer(db: Db, idOrName: string): Promise<StoredConsumer | undefined> {
  return changeConsumer(db, idOrName, () => ({ paused_until: null, pause_reason: null }))
}

/** Keeps other headers and secrets for the webhook; `seal` sees what is kept now. */
export function resealPush(
  db: Db,
  idOrName: string,
  seal: (before: StoredConsumer) => Buffer,
): Promise<StoredConsumer | undefined> {
  return changeConsumer(db, idOrName, (_trx, before) => ({ push_sealed: seal(before) }))
}

/** Deletes the consumer and its queue; the log stays. False: there is none. */
export async function deleteConsumer(db: Db, idOrName: string): Promise<boolean> {
  const found = await findStoredConsumer(db, idOrName)
  if (!found) return false
  const { consumerNo } = found
  return inTransaction(db, async (trx) => {
    await lockConsumer(trx, consumerNo)
    await trx.deleteFrom('millrace.tick').where('consumer_no', '=', consumerNo).execute()
    await trx.deleteFrom('millrace.lease').where('consumer_no', '=', consumerNo).execute()
    await trx.deleteFrom('millrace.delivery').where('consumer_no', '=', consumerNo).execute()
    const { numDeletedRows } = await trx
      .deleteFrom('millrace.consumer')
      .where('consumer_no', '=', consumerNo)
      .executeTakeFirst()
    await notifyConfig(trx)
    return numDeletedRows > 0n
  })
}

/**
 * One change of a consumer's row, taking turns with the ticks of its queue: a tick
 * that was worked out under the old settings is refused.
 */
async function changeConsumer(
  db: Db,
  idOrName: string,
  work: (
    trx: Db,
    before: StoredConsumer,
  ) => Promise<Partial<Insertable<ConsumerTable>>> | Partial<Insertable<ConsumerTable>>,
): Promise<StoredConsumer | undefined> {
  const found = await findStoredConsumer(db, idOrName)
  if (!found) return undefined
  const { consumerNo } = found
  return inTransaction(db, async (trx) => {
    await lockConsumer(trx, consumerNo)
    // Read again: what was read before the lock may have changed meanwhile.
    const before = await findStoredConsumer(trx, found.id)
    if (!before) return undefined
    const changes = await work(trx, before)
    await trx
      .updateTable('millrace.consumer')
      .set(changes)
      .set({ config_version: sql`config_version + 1`, updated_at: sql`now()` })
      .where('consumer_no', '=', consumerNo)
      .execute()
    await notifyConfig(trx)
    return readConsumerNo(trx, consumerNo)
  })
}

/** Several changes go together when `db` is a transaction already. */
function inTransaction<T>(db: Db, work: (trx: Db) => Promise<T>): Promise<T> {
  return db.isTransaction ? work(db) : db.transaction().execute(work)
}

async function lockConsumer(trx: Db, consumerNo: number): Promise<void> {
  await sql`select pg_advisory_xact_lock(${sql.lit(CONSUMER_LOCK)}, ${consumerNo}::int)`.execute(
    trx,
  )
}

async function notifyConfig(trx: Db): Promise<void> {
  await sql`select pg_notify(${CONFIG_CHANNEL}, 'consumer')`.execute(trx)
}

function selectConsumers(db: Db) {
  return db
    .selectFrom('millrace.consumer as consumer')
    .innerJoin('millrace.source as source', 'source.source_no', 'consumer.source_no')
    .selectAll('consumer')
    .select('source.name as source')
}

async function readConsumerNo(db: Db, consumerNo: number): Promise<StoredConsumer> {
  const row = await selectConsumers(db)
    .where('consumer_no', '=', consumerNo)
    .executeTakeFirstOrThrow()
  return readStored(row)
}

function readStored(row: Selectable<ConsumerTable> & { source: string }): StoredConsumer {
  return { ...readConsumer(row), source: row.source, pushSealed: row.push_sealed }
}

/**
 * Looks whether settings would be accepted, and changes nothing.
 * @param sourceNo undefined: a source that is not there yet, of which nothing is known
 * @throws MillraceError `validation_failed`
 */
export async function checkConsumer(
  db: Db,
  settings: ConsumerPut,
  sourceNo: number | undefined,
  before: StoredConsumer | undefined,
): Promise<void> {
  if (before) checkFixed(before, sourceNo ?? 0, settings)
  await checkColumns(db, fillSettings(settings), sourceNo ?? 0)
}

/** With the defaults in place of what is left out. */
export function fillSettings(settings: ConsumerPut): ConsumerColumns {
  const { source: _source, ...given } = withoutUndefined(settings)
  return { ...DEFAULTS, ...given, push: settings.push ? fillPush(settings.push) : null }
}

async function findSource(db: Db, idOrName: string): Promise<{ source_no: number }> {
  const source = await db
    .selectFrom('millrace.source')
    .select('source_no')
    .where(isId(idOrName) ? 'id' : 'name', '=', idOrName)
    .executeTakeFirst()
  if (!source) {
    throw invalid([{ pointer: '/source', detail: `there is no source "${idOrName}"` }])
  }
  return source
}

/** A webhook with the defaults of what is left out; its headers are kept elsewhere. */
export function fillPush(push: PushSettings): PushConfig {
  return {
    url: push.url,
    batch_size: push.batch_size ?? 1,
    timeout_ms: push.timeout_ms ?? 15_000,
    max_in_flight: push.max_in_flight ?? 10,
    rate_per_second: push.rate_per_second ?? null,
    allow_http: push.allow_http ?? false,
  }
}

async function checkColumns(db: Db, columns: ConsumerColumns, sourceNo: number): Promise<void> {
  const relations = await listRelations(db, sourceNo)
  const errors: ErrorDetail[] = [
    ...checkSelection({ ...columns, groupBy: columns.group_by }, relations),
  ]
  if (columns.mode === 'push' && columns.push === null) {
    errors.push({ pointer: '/push', detail: 'a consumer of mode "push" needs push.url' })
  }
  if (columns.ordering === 'none' && columns.group_by !== null) {
    errors.push({ pointer: '/group_by', detail: 'has no meaning with ordering "none"' })
  }
  if (errors.length > 0) throw invalid(errors)
}

/** What decides where a queue begins cannot be changed once it has begun. */
function checkFixed(
  before: StoredConsumer,
  sourceNo: number | undefined,
  given: ConsumerPatch,
): void {
  const errors: ErrorDetail[] = []
  if (sourceNo !== undefined && sourceNo !== before.sourceNo) {
    errors.push({
      pointer: '/source',
      detail: `is fixed at creation ("${before.source}"); create another consumer`,
    })
  }
  if (given.kind !== undefined && given.kind !== before.kind) {
    errors.push({
      pointer: '/kind',
      detail: `is fixed at creation ("${before.kind}"); create another consumer`,
    })
  }
  if (given.start_from !== undefined && given.start_from !== before.startFrom) {
    errors.push({
      pointer: '/start_from',
      detail: `is fixed at creation ("${before.startFrom}"); seek moves the cursor`,
    })
  }
  if (errors.length > 0) throw invalid(errors)
}

function toColumns(consumer: StoredConsumer): ConsumerColumns {
  return {
    tables: [...consumer.tables],
    actions: [...consumer.actions] as ConsumerColumns['actions'],
    filter: consumer.filter,
    columns: consumer.columns as ConsumerColumns['columns'],
    kind: consumer.kind,
    mode: consumer.mode,
    push: consumer.push,
    start_from: consumer.startFrom,
    visibility_timeout_ms: consumer.visibilityTimeoutMs,
    max_in_flight: consumer.maxInFlight,
    max_waiting: consumer.maxWaiting,
    max_deliveries: consumer.maxDeliveries,
    ordering: consumer.ordering,
    group_by: consumer.groupBy && [...consumer.groupBy],
    annotations: consumer.annotations,
  }
}

function toRow(columns: ConsumerColumns) {
  const {
    tables,
    actions,
    filter,
    kind,
    mode,
    start_from,
    visibility_timeout_ms,
    max_in_flight,
    max_waiting,
    max_deliveries,
    ordering,
    group_by,
  } = columns
  return {
    tables,
    actions,
    filter,
    kind,
    mode,
    start_from,
    visibility_timeout_ms,
    max_in_flight,
    max_waiting,
    max_deliveries,
    ordering,
    group_by,
    columns: columns.columns && JSON.stringify(columns.columns),
    push: columns.push && JSON.stringify(columns.push),
    annotations: JSON.stringify(columns.annotations),
  }
}

/** Zod leaves out what was not given; this says so to the compiler too. */
function withoutUndefined<T extends object>(
  value: T,
): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }
}

function invalid(errors: readonly ErrorDetail[]): MillraceError {
  const first = errors[0]!
  return new MillraceError('validation_failed', `${first.pointer.slice(1)}: ${first.detail}`, {
    errors,
  })
}

function refineError(error: unknown, name: string): unknown {
  if (!(error instanceof pg.DatabaseError)) return error
  if (error.constraint === 'consumer_name_is_unique') {
    return new MillraceError('name_taken', `There is already a consumer "${name}".`, {
      cause: error,
      errors: [{ pointer: '/name', detail: 'is taken' }],
    })
  }
  if (error.constraint === 'consumer_source_no_fkey') {
    return new MillraceError('conflict', 'The source was deleted meanwhile.', { cause: error })
  }
  return error
}
