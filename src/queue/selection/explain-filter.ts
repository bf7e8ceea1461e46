import { MillraceError } from '../../errors.ts'
import type { LogEntry } from '../../log/entry.ts'
import { compileFilter, type Filter } from './compile-filter.ts'
import { FilterError } from './filter-error.ts'

/** What a filter would say of one entry. */
export type FilterPreview =
  | { seq: number; outcome: 'passes' | 'filtered' }
  | { seq: number; outcome: 'fails'; reason: string }

/**
 * Tries a filter on entries, for somebody who is writing it.
 * @throws MillraceError `validation_failed` when the expression is wrong
 */
export function explainFilter(expression: string, entries: readonly LogEntry[]): FilterPreview[] {
  const filter = compileOrRefuse(expression)
  return entries.map((entry) => {
    const verdict = filter.evaluate(entry)
    if (typeof verdict === 'object') {
      return { seq: entry.seq, outcome: 'fails', reason: verdict.failed }
    }
    return { seq: entry.seq, outcome: verdict ? 'passes' : 'filtered' }
  })
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
