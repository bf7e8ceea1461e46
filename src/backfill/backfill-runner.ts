import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

import type pg from 'pg'

import { sqlStateOf } from '../capture/capture-failure.ts'
import type { SessionCompanion, SessionHandles } from '../capture/capture-session.ts'
import { connectSource } from '../capture/connect-source.ts'
import { WATERMARK_PREFIX } from '../capture/page-window.ts'
import { planRows, type RowPlan } from '../capture/pgoutput/row-plan.ts'
import { readTypes } from '../capture/read-catalogue.ts'
import { compileTablePatterns } from '../queue/selection/table-pattern.ts'
import { BackfillWork } from './backfill-work.ts'
import type { Backfill } from './backfill.ts'
import {
  describeTable,
  listPublished,
  UnfitTableError,
  type TableDescription,
} from './describe-table.ts'
import { estimateRows } from './estimate-rows.ts'
import { readPage } from './read-page.ts'
import { PageTooLargeError, TableChangedError } from './read-rows.ts'
import {
  findConsumerTables,
  findNextBackfill,
  markFailed,
  markRunning,
  noteError,
  splitBackfill,
} from './runner-store.ts'

/** Between two looks at whether there is something to do. */
const POLL_MS = 1_000
/** A page that met a transaction which is committed and not yet visible is read again soon. */
const AGAIN_MS = 20
const RETRY_MIN_MS = 500
const RETRY_MAX_MS = 30_000
/** Beyond what a page's statement may take. */
const STATEMENT_CANCELLED = '57014'

/**
 * Reads the tables of one source for backfills, page by page, beside the stream of a
 * session and no longer than it. Everything it knows besides what is stored can be lost:
 * the next one goes on behind the last page that is in the log.
 *
 *   pending ──► running ──► done
 *      ▲           ├──────► failed ──► pending, when resumed
 *      └── paused ◄┴──────► cancelled
 */
export class BackfillRunner implements SessionCompanion {
  readonly #handles: SessionHandles
  readonly #pollMs: number
  readonly #stopping = new AbortController()
  readonly #stopped: Promise<'stopped'>
  readonly #works = new Map<number, BackfillWork>()
  #running: Promise<void> | undefined
  #client: pg.Client | undefined
  #failures = 0

  constructor(handles: SessionHandles, options: { pollMs?: number } = {}) {
    this.#handles = handles
    this.#pollMs = options.pollMs ?? POLL_MS
    this.#stopped = new Promise((resolve) => {
      this.#stopping.signal.addEventListener('abort', () => resolve('stopped'), { once: true })
    })
  }

  start(): void {
    this.#running ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#disconnect()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const waitMs = await this.#step().catch((error: unknown) => this.#onStorageError(error))
      if (waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => undefined)
    }
    await this.#disconnect()
  }

  /** One page of one backfill; answers how long to wait before the next. */
  async #step(): Promise<number> {
    const { storage, turn } = this.#handles
    const done = [...this.#works].filter(([, { isDone }]) => isDone).map(([no]) => no)
    const backfill = await findNextBackfill(storage.db, turn.sourceNo, done)
    if (!backfill) {
      this.#works.clear()
      await this.#disconnect()
      return this.#pollMs
    }
    try {
      const waitMs = backfill.table
        ? await this.#readOnePage(backfill, backfill.table)
        : await this.#split(backfill, backfill.consumerNo!)
      this.#failures = 0
      return waitMs
    } catch (error) {
      if (this.#stopping.signal.aborted) return 0
      return this.#onError(backfill, error)
    }
  }

  async #split(backfill: Backfill, consumerNo: number): Promise<number> {
    const { storage, turn, source } = this.#handles
    const client = await this.#connect()
    const patterns = await findConsumerTables(storage.db, consumerNo)
    const takes = compileTablePatterns(patterns ?? [])
    const tables = await listPublished(client, source.publication)
    await splitBackfill(storage.db, turn, backfill, tables.filter(takes))
    return 0
  }

  async #readOnePage(backfill: Backfill, name: NonNullable<Backfill['table']>): Promise<number> {
    const { window, source } = this.#handles
    const client = await this.#connect()
    const table =
      this.#works.get(backfill.backfillNo)?.table ??
      (await describeTable(client, source.publication, name))
    const plan = await this.#plan(client, table)
    const work = await this.#workOf(client, backfill, table)
    work.table = table

    window.open(table.oid)
    try {
      const choice = work.choice(table)
      const page = await readPage(client, source.publication, table, plan, choice, work.size.value)
      const { watermark, snapshot, rows } = page
      const { recipientNo } = work
      const settle = (kept: number, end: number) => work.settle(page, kept, end)
      const { message } = table
      if (!window.hold({ watermark, snapshot, rows, message, plan, recipientNo, settle })) {
        work.missed()
        return AGAIN_MS
      }
      await this.#passWatermark(client, watermark)
      if (work.isHopeless) throw new UnfitTableError('rows without a key change all the time')
      return 0
    } catch (error) {
      work.table = undefined
      if (!(error instanceof TableChangedError)) throw error
      await client.query('rollback')
      return AGAIN_MS
    } finally {
      window.close()
    }
  }

  async #plan(client: pg.Client, { message, primaryKey }: TableDescription): Promise<RowPlan> {
    const { catalogue } = this.#handles
    const oids = message.columns.map(({ typeOid }) => typeOid).filter((oid) => !catalogue.has(oid))
    if (oids.length > 0) catalogue.add(oids, await readTypes(client, oids))
    return planRows(message, catalogue, primaryKey)
  }

  async #workOf(
    client: pg.Client,
    backfill: Backfill,
    table: TableDescription,
  ): Promise<BackfillWork> {
    const { storage, turn } = this.#handles
    const { backfillNo } = backfill
    if (backfill.state === 'pending') {
      const rows = backfill.rowsEstimated ?? (await estimateRows(client, table, backfill.fromKey))
      await markRunning(storage.db, turn, backfillNo, rows)
    }
    let work = this.#works.get(backfillNo)
    if (!work) {
      work = new BackfillWork(backfill, table)
      this.#works.set(backfillNo, work)
    }
    return work
  }

  /** Resolves when the stream has come by it; rejects when there is no stream any more. */
  async #passWatermark(client: pg.Client, content: string): Promise<void> {
    const passed = this.#handles.window.passes(content)
    // In a transaction, whose commit makes the source send it at once.
    await client.query('select pg_logical_emit_message(true, $1, $2)', [WATERMARK_PREFIX, content])
    if ((await Promise.race([passed, this.#stopped])) === 'stopped') throw new Error('stopped')
  }

  async #connect(): Promise<pg.Client> {
    if (this.#client) return this.#client
    const { source } = this.#handles
    const { client } = await connectSource(source, `millrace backfill ${source.name}`)
    this.#client = client
    if (this.#stopping.signal.aborted) throw new Error('stopped')
    const { rows } = await client.query<{ standby: boolean }>(
      'select pg_is_in_recovery() as standby',
    )
    if (rows[0]!.standby) {
      throw new UnfitTableError('the source is a standby, which cannot write watermarks')
    }
    // What a session before this one has stored comes by first, and is in no page's window.
    // By then all can see it: a commit that waits for a standby is waited for here as well.
    await client.query('set synchronous_commit = on')
    await this.#passWatermark(client, `start ${randomUUID()}`)
    // The marks of pages need no standby.
    await client.query('set synchronous_commit = local')
    return client
  }

  async #disconnect(): Promise<void> {
    const client = this.#client
    this.#client = undefined
    await client?.end().catch(() => undefined)
  }

  async #onError(backfill: Backfill, error: unknown): Promise<number> {
    const { storage, turn, log, source } = this.#handles
    await this.#disconnect()
    const reason = error instanceof Error ? error.message : String(error)
    const fields = { source: source.name, table: backfill.table, reason }
    const state = sqlStateOf(error)
    const isRefused = state.startsWith('42') || state.startsWith('22')
    const work = this.#works.get(backfill.backfillNo)
    if (error instanceof UnfitTableError || (isRefused && work?.isRefused() !== false)) {
      this.#works.delete(backfill.backfillNo)
      await markFailed(storage.db, turn, backfill.backfillNo, reason)
      log.error('a backfill failed', fields)
      return 0
    }
    if (error instanceof PageTooLargeError || state === STATEMENT_CANCELLED) {
      work?.size.shrink()
    }
    await noteError(storage.db, turn, backfill.backfillNo, reason)
    log.warn('a page of a backfill was not read, trying again', fields)
    return this.#backOff()
  }

  #onStorageError(error: unknown): number {
    const reason = error instanceof Error ? error.message : String(error)
    this.#handles.log.warn('backfills wait for the storage', { reason })
    return this.#backOff()
  }

  #backOff(): number {
    this.#failures += 1
    return Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(this.#failures - 1, 10))
  }
}
