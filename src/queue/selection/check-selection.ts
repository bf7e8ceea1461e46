import type { ErrorDetail } from '../../errors.ts'
import type { Relation } from '../../log/entry.ts'
import type { Consumer } from '../consumer.ts'
import { checkFilter } from './check-filter.ts'
import { describeUnknownColumn } from './describe-unknown-column.ts'
import type { FilterPosition } from './filter-error.ts'
import { compileTablePatterns, parseTablePattern } from './table-pattern.ts'

export type SelectionInput = Pick<Consumer, 'tables' | 'actions' | 'filter' | 'columns' | 'groupBy'>

/** What is wrong with a selection; in a filter also where. */
export interface SelectionError extends ErrorDetail {
  position?: FilterPosition
}

const TABLES_MAX = 1000
const GROUP_BY_MAX = 32
/** As many as a table of Postgres can have. */
const COLUMNS_MAX = 1600

const ACTIONS = ['insert', 'update', 'delete', 'truncate', 'read']

/**
 * Checks what a consumer asks for before it is saved; empty: all is well. Columns are
 * held against the known shapes of the selected tables, old shapes included because old
 * changes have them. Where no selected table is known yet, any column may come.
 */
export function checkSelection(
  input: SelectionInput,
  relations: readonly Relation[],
): SelectionError[] {
  const tableErrors = checkTables(input.tables)
  const takesTable = compileTablePatterns(input.tables)
  const selected = relations.filter(takesTable)
  return [
    ...tableErrors,
    ...checkActions(input.actions),
    ...checkColumnRule(input.columns, selected),
    ...checkNames('/group_by', input.groupBy, GROUP_BY_MAX, selected),
    ...(input.filter === null ? [] : checkFilter(input.filter, selected)),
  ]
}

function checkTables(tables: readonly string[]): SelectionError[] {
  if (tables.length === 0) {
    return [{ pointer: '/tables', detail: 'Name at least one table, or * for all.' }]
  }
  if (tables.length > TABLES_MAX) {
    return [{ pointer: '/tables', detail: `Name at most ${TABLES_MAX} tables, or use schema.*.` }]
  }
  return tables.flatMap((text, i) => {
    const pattern = parseTablePattern(text)
    return typeof pattern === 'string' ? [{ pointer: `/tables/${i}`, detail: pattern }] : []
  })
}

function checkActions(actions: readonly string[]): SelectionError[] {
  if (actions.length === 0) {
    return [{ pointer: '/actions', detail: `Name at least one of ${ACTIONS.join(', ')}.` }]
  }
  return actions.flatMap((action, i) => {
    if (ACTIONS.includes(action)) return []
    const detail = `There is no action '${action}', only ${ACTIONS.join(', ')}.`
    return [{ pointer: `/actions/${i}`, detail }]
  })
}

function checkColumnRule(
  rule: SelectionInput['columns'],
  selected: readonly Relation[],
): SelectionError[] {
  if (rule === null) return []
  if ((rule.include === undefined) === (rule.exclude === undefined)) {
    return [{ pointer: '/columns', detail: 'Give either include or exclude.' }]
  }
  const way = rule.include === undefined ? 'exclude' : 'include'
  return checkNames(`/columns/${way}`, rule[way]!, COLUMNS_MAX, selected)
}

function checkNames(
  pointer: string,
  names: readonly string[] | null,
  countMax: number,
  selected: readonly Relation[],
): SelectionError[] {
  if (names === null) return []
  if (names.length === 0) return [{ pointer, detail: 'Name at least one column.' }]
  if (names.length > countMax) return [{ pointer, detail: `Name at most ${countMax} columns.` }]
  const known = new Set(selected.flatMap((relation) => relation.columns.map(({ name }) => name)))
  return names.flatMap((name, i) => {
    if (selected.length === 0 || known.has(name)) return []
    return [{ pointer: `${pointer}/${i}`, detail: describeUnknownColumn(name, known) }]
  })
}
