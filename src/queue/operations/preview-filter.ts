import { sql } from 'kysely'

import type { LogEntry } from '../../log/entry.ts'
import { ACTION_CODES, readSeqs } from '../../log/read-log.ts'
import { RelationDirectory } from '../../log/relation-directory.ts'
import type { Database } from '../../storage/database.ts'
import { listRelations } from '../list-relations.ts'
import { checkSelection, type SelectionError } from '../selection/check-selection.ts'
import { explainFilter, type FilterPreview } from '../selection/explain-filter.ts'
import { compileTablePatterns } from '../selection/table-pattern.ts'
import type { Consumer } from '../consumer.ts'
import { findCursor } from '../start-cursor.ts'

/** So far back changes are looked for: those of a rare table must not make us walk the whole log. */
const SCAN_MAX = 100_000
const BYTES_MAX = 4 * 2 ** 20

export interface FilterPreviewOptions {
  tables: readonly string[]
  actions: readonly (keyof typeof ACTION_CODES)[]
  /** Null: everything passes. */
  filter: string | null
  limit: number
}

export interface PreviewedSelection {
  /** What is wrong with the selection; then nothing was tried. */
  errors: SelectionError[]
  /** The newest changes of the tables and actions, the newest first, each with its verdict. */
  entries: { entry: LogEntry; preview: FilterPreview }[]
}

/** What a consumer would make of the newest changes, for somebody who is about to create it. */
export async function previewFilter(
  database: Database,
  sourceNo: number,
  { tables, actions, filter, limit }: FilterPreviewOptions,
): Promise<PreviewedSelection> {
  const relations = await listRelations(database.db, sourceNo)
  const selection = { tables, actions, filter, columns: null, groupBy: null }
  const errors = checkSelection(selection satisfies Partial<Consumer>, relations)
  if (errors.length > 0) return { errors, entries: [] }

  const relationNos = relations
    .filter(compileTablePatterns(tables))
    .map(({ relationNo }) => relationNo)
  const entries = await readNewest(database, sourceNo, { relationNos, actions, limit })
  const previews: FilterPreview[] =
    filter === null
      ? entries.map(({ seq }) => ({ seq, outcome: 'passes' }))
      : explainFilter(filter, entries)
  return {
    errors: [],
    entries: previews.map((preview, index) => ({ entry: entries[index]!, preview })),
  }
}

async function readNewest(
  { db, pool }: Database,
  sourceNo: number,
  {
    relationNos,
    actions,
    limit,
  }: { relationNos: number[]; actions: FilterPreviewOptions['actions']; limit: number },
): Promise<LogEntry[]> {
  const head = await findCursor(db, sourceNo, 'latest')
  // The newest come first into the bound of bytes, so the seqs are found before anything is read.
  const { rows } = await sql<{ seq: string }>`
    select seq::text from (
      select seq, sum(size) over (order by seq desc) - size as bytes_before from (
        select seq, size from millrace.log
        where source_no = ${sourceNo} and seq > ${head - SCAN_MAX}::bigint
          and relation_no = any (${relationNos}::int[])
          and action::text = any (${actions.map((action) => ACTION_CODES[action])}::text[])
        order by seq desc limit ${limit}
      ) as newest
    ) as measured
    where bytes_before < ${BYTES_MAX}`.execute(db)
  const seqs = rows.map(({ seq }) => Number(seq))
  const relations = new RelationDirectory(pool, sourceNo)
  // One entry always fits, however large it is.
  const { entries } = await readSeqs(pool, relations, sourceNo, seqs, Number.MAX_SAFE_INTEGER)
  return entries.toReversed()
}
