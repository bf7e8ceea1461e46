import { Environment } from '@marcbachmann/cel-js'

import { compileRegex } from './filter-regex.ts'

/** `matches` under a name of our own: an environment may add a function, not replace one. */
export const LINEAR_MATCHES = 'matchesLinearly'

const arithmetic: Record<string, (left: number, right: number) => number> = {
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
}

/**
 * The language of filters: CEL, with these variables and three departures.
 *
 * - Integers and decimals calculate with each other: whether `100` is either depends on
 *   the column's type, which CEL would ask the author to know.
 * - Lists may be mixed.
 * - `matches` is linear (see `compileRegex`).
 */
export const filterEnvironment = createEnvironment()

function createEnvironment(): Environment {
  const environment = new Environment({
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: 1000, maxDepth: 64, maxListElements: 500, maxMapEntries: 100 },
  })
    .registerVariable('record', 'map<string, dyn>')
    .registerVariable('changes', 'dyn')
    .registerVariable('action', 'string')
    .registerVariable('metadata', 'map<string, dyn>')
    .registerFunction({
      name: LINEAR_MATCHES,
      receiverType: 'string',
      returnType: 'bool',
      params: [{ name: 'pattern', type: 'string' }],
      async: false,
      handler: (text: string, pattern: string) => compileRegex(pattern).test(text),
    })
  for (const [sign, apply] of Object.entries(arithmetic)) {
    const handler = (left: number | bigint, right: number | bigint) =>
      apply(Number(left), Number(right))
    environment.registerOperator(`int ${sign} double`, handler)
    environment.registerOperator(`double ${sign} int`, handler)
  }
  return environment
}
