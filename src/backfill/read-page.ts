import { randomUUID } from 'node:crypto'

import type pg from 'pg'

import type { Page, PageRow } from '../capture/page-window.ts'
import type { RowPlan } from '../capture/pgoutput/row-plan.ts'
import { Snapshot } from '../capture/snapshot.ts'
import type { BackfillPosition } from '../storage/schema-types.ts'
import { writeDescribeQuery, type TableDescription } from './describe-table.ts'
import { encodeRow } from './encode-row.ts'
import { placesOf, writePageQuery, type PageChoice } from './page-query.ts'
import { readRows } from './read-rows.ts'

/** A statement that takes longer holds up vacuum; the next page is smaller. */
const TIMEOUT_MS = 10_000

/** What was read of a table, ready to meet the stream. */
export interface ReadPage extends Pick<Page, 'watermark' | 'snapshot' | 'rows'> {
  /** Of each wanted row: where to go on behind it, and how many rows were scanned until then. */
  readonly marks: readonly Mark[]
  /** Behind the last one. */
  readonly end: Mark
  readonly isLast: boolean
  readonly ms: number
  readonly bytes: number
  readonly isCut: boolean
}

export interface Mark {
  readonly position: BackfillPosition
  readonly scanned: number
}

/**
 * @throws TableChangedError where `table` is out of date: the rows would have another shape than
 * their changes in the stream, or be read by another key
 * @throws PageTooLargeError
 */
export async function readPage(
  client: pg.ClientBase,
  publication: string,
  table: TableDescription,
  plan: RowPlan,
  choice: PageChoice,
  size: number,
): Promise<ReadPage> {
  const startedAt = performance.now()
  const statements = {
    lock: table.mayLock ? `lock table only ${table.name} in access share mode` : null,
    question: writeDescribeQuery(publication, table),
    answer: table.text,
    page: writePageQuery(table, choice, size),
  }
  const read = await readRows(client, statements, TIMEOUT_MS)
  const ms = performance.now() - startedAt
  const columns = plan.names.length
  const rows: PageRow[] = []
  const marks: Mark[] = []
  const positionOf = (ends: readonly (string | null)[]): BackfillPosition =>
    table.key.length > 0
      ? { key: ends as string[], order: table.order }
      : { place: ends[0]!, blocks: placesOf(table, choice.position, size).blocks, file: table.file }
  for (const [index, texts] of read.rows.entries()) {
    if (texts[0] !== 't') continue
    rows.push(encodeRow(plan, texts.slice(1, columns + 1)))
    marks.push({ position: positionOf(texts.slice(columns + 1)), scanned: index + 1 })
  }
  const last = read.rows.at(-1)
  const scanned = read.rows.length
  const fields = {
    watermark: randomUUID(),
    snapshot: new Snapshot(read.snapshot),
    rows,
    marks,
    ms,
    bytes: read.bytes,
    isCut: read.isCut,
  }
  if (table.key.length > 0 || read.isCut) {
    const end = last ? positionOf(last.slice(columns + 1)) : choice.position
    const isLast = table.key.length > 0 && !read.isCut && scanned < size
    return { ...fields, end: { position: end ?? { key: [], order: table.order }, scanned }, isLast }
  }
  const { before, blocks } = placesOf(table, choice.position, size)
  const end = { position: { place: `(${before},0)`, blocks, file: table.file }, scanned }
  return { ...fields, end, isLast: before >= blocks }
}
