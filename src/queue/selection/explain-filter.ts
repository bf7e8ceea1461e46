import { performance } from 'node:perf_hooks'

import { MillraceError } from '../../errors.ts'
import type { LogEntry } from '../../log/entry.ts'
import { compileFilter, type Filter } from './compile-filter.ts'
import { FilterError } from './filter-error.ts'

/** What a filter would say of one entry. */
export type FilterPreview =
  | { seq: number; outcome: 'passes' | 'filtered' }
  | { seq: number; outcome: 'fails'; reason: string }

/** All entries together; one alone can take up to a second, and nobody else is served meanwhile. */
const BUDGET_MS = 250

/**
 * Tries a filter on entries, for somebody who is writing it. Entries for which there is
 * no time left are not in the answer.
 * @throws MillraceError `validation_failed` when the expression is wrong
 */
export function explainFilter(expression: string, entries: readonly LogEntry[]): FilterPreview[] {
  const filter = compileOrRefuse(expression)
  const deadline = performance.now() + BUDGET_MS
  const previews: FilterPreview[] = []
  for (const entry of entries) {
    if (performance.now() > deadline) break
    const verdict = filter.evaluate(entry)
    if (typeof verdict === 'object') {
      previews.push({ seq: entry.seq, outcome: 'fails', reason: verdict.failed })
    } else previews.push({ seq: entry.seq, outcome: verdict ? 'passes' : 'filtered' })
  }
  return previews
}

function compileOrRefuse(expression: string): Filter {
  try {
    return compileFilter(expression)
  } catch (error) {
    if (!(error instanceof FilterError)) throw error
    throw new MillraceError('validation_failed', 'The filter cannot be used.', {
      cause: error,
      errors: [{ pointer: '/filter', detail: error.describe() }],
    })
  }
}
