import { EvaluationError, ParseError, type ParseResult } from '@marcbachmann/cel-js'

import type { LogEntry } from '../../log/entry.ts'
import { resetBudget } from './filter-budget.ts'
import { filterEnvironment, LINEAR_MATCHES } from './filter-environment.ts'
import { FilterError, locate } from './filter-error.ts'
import { FilterInput } from './filter-input.ts'
import { FilterReferences } from './filter-references.ts'

const EXPRESSION_BYTES_MAX = 4096
const REASON_CHARACTERS_MAX = 500

/** Whether an entry passes, or why that cannot be said. */
export type FilterVerdict = true | false | { failed: string }

export interface Filter {
  readonly references: FilterReferences
  evaluate(entry: LogEntry): FilterVerdict
}

/**
 * Compiles a filter, once a consumer.
 *
 * CEL ends by itself; what could make it long is bounded: the expression's size, the
 * elements of lists it looks at (`filter-budget.ts`) and its patterns (`filter-regex.ts`).
 * @throws FilterError with the position of what is wrong
 */
export function compileFilter(expression: string): Filter {
  if (Buffer.byteLength(expression) > EXPRESSION_BYTES_MAX) {
    throw new FilterError(
      `A filter is at most ${EXPRESSION_BYTES_MAX} bytes long.`,
      expression,
      EXPRESSION_BYTES_MAX,
    )
  }
  const run = parse(expression)
  const references = new FilterReferences(expression, run.ast)
  checkTypes(expression, run)
  const input = new FilterInput(references)
  return { references, evaluate: (entry) => evaluate(expression, run, input, entry) }
}

function parse(expression: string): ParseResult {
  if (expression.trim() === '') {
    throw new FilterError(
      'The filter is empty: leave it out to let everything pass.',
      expression,
      0,
    )
  }
  try {
    return filterEnvironment.parse(expression)
  } catch (error) {
    if (!(error instanceof ParseError)) throw error
    const offset = error.range?.start ?? 0
    throw new FilterError(explainSyntax(error, expression, offset), expression, offset, {
      cause: error,
    })
  }
}

function explainSyntax(error: ParseError, expression: string, offset: number): string {
  if (error.summary === 'Unexpected character: =') return "Compare with '==': CEL has no '='."
  if (offset >= expression.length) return 'The expression ends where more is expected.'
  return `${error.summary}.`
}

function checkTypes(expression: string, run: ParseResult): void {
  const { valid, type, error } = run.check()
  if (!valid) {
    const offset = error?.range?.start ?? 0
    throw new FilterError(explainType(error!), expression, offset, { cause: error })
  }
  if (type !== 'bool' && type !== 'dyn') {
    throw new FilterError(`A filter must be true or false; this one is a ${type}.`, expression, 0)
  }
}

function explainType(error: { code: string; summary: string }): string {
  const summary = error.summary.replaceAll(LINEAR_MATCHES, 'matches')
  if (error.code === 'unknown_variable') {
    return `${summary}. There are record, changes, action and metadata; columns are read as record.name.`
  }
  return `${summary}.`
}

function evaluate(
  expression: string,
  run: ParseResult,
  input: FilterInput,
  entry: LogEntry,
): FilterVerdict {
  try {
    resetBudget()
    const result: unknown = run(input.read(entry))
    if (typeof result === 'boolean') return result
    const type = result === null ? 'null' : typeof result
    return { failed: `The filter answered with a ${type}, not with true or false.` }
  } catch (error) {
    // Whatever is thrown, too deep a JSON value among it, concerns this entry alone.
    return { failed: explainFailure(expression, error).slice(0, REASON_CHARACTERS_MAX) }
  }
}

function explainFailure(expression: string, error: unknown): string {
  if (!(error instanceof EvaluationError)) {
    return error instanceof Error ? error.message : String(error)
  }
  const summary = error.summary.replaceAll(LINEAR_MATCHES, 'matches')
  const range = error.range
  if (!range) return `The filter failed: ${summary}.`
  const { line, column } = locate(expression, range.start)
  const what = `The filter failed at line ${line}, column ${column}: ${summary}.`
  if (error.code !== 'no_such_key') return what
  return `${what} The change does not hold it; ask first with has(…).`
}
