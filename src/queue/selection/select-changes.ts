import type { Action, LogEntry, Relation } from '../../log/entry.ts'
import type { Consumer } from '../consumer.ts'
import { compileFilter, type Filter, type FilterVerdict } from './compile-filter.ts'
import { FilterError } from './filter-error.ts'
import { compileGrouping, type Grouping } from './group-entries.ts'
import { compileProjection, type Projection } from './project-columns.ts'
import { compileTablePatterns } from './table-pattern.ts'

/** The settings of a consumer that say what it gets, in which form and order. */
export type SelectionSettings = Pick<
  Consumer,
  'consumerNo' | 'tables' | 'actions' | 'filter' | 'columns' | 'ordering' | 'groupBy'
>

/** What a consumer sees of the log. Immutable; made anew when the settings change. */
export interface Selection {
  /** By the table alone. */
  selectsRelation(relation: Relation): boolean
  /**
   * Whether the entry becomes a message of the consumer; `failed` says why the filter
   * could not tell, and such an entry becomes a dead message. Rows of a backfill pass
   * whatever actions are listed, but not those that are for another consumer.
   */
  matches(entry: LogEntry): FilterVerdict
  /** Record and changes as they leave the system; without a rule over columns the entry's own. */
  project(entry: LogEntry): Pick<LogEntry, 'record' | 'changes'>
  /** Identity of the ordering group: a positive safe integer, or 0 for none. */
  groupHash(entry: LogEntry): number
  /** The group that an update took the row out of, or 0. */
  otherGroupHash(entry: LogEntry): number
  /** The group for people, such as `orders:1`, or null. */
  groupLabel(entry: LogEntry): string | null
  /** Whether every table of the source is taken, so that shared pages of the log suit it. */
  readonly takesAll: boolean
  /** The actions that can match, `read` always among them. */
  readonly actions: readonly Action[]
}

export function compileSelection(settings: SelectionSettings): Selection {
  return new CompiledSelection(settings)
}

const ACTIONS: readonly Action[] = ['insert', 'update', 'delete', 'truncate', 'read']

/** A lookup by the name costs 10 ns more for every entry. */
function bitOf(action: Action): number {
  switch (action) {
    case 'insert':
      return 1
    case 'update':
      return 2
    case 'delete':
      return 4
    case 'truncate':
      return 8
    default:
      action satisfies 'read'
      return 16
  }
}

/** Shapes beyond it are not remembered, only asked about: it bounds memory, nothing else. */
const RELATIONS_KEPT_MAX = 65_536

class CompiledSelection implements Selection {
  readonly takesAll: boolean
  readonly actions: readonly Action[]
  readonly groupHash: Grouping['groupHash']
  readonly otherGroupHash: Grouping['otherGroupHash']
  readonly groupLabel: Grouping['groupLabel']
  readonly #consumerNo: number
  readonly #bits: number
  readonly #filter: Pick<Filter, 'evaluate'> | null
  /** Two of one rule: each remembers the order of names it met last. */
  readonly #cut: { record: Projection; changes: Projection } | null
  readonly #takesTable: (relation: Relation) => boolean
  readonly #verdicts = new Map<number, { relation: Relation; selected: boolean }>()
  #lastRelation: Relation | undefined
  #lastSelected = false

  constructor(settings: SelectionSettings) {
    this.#consumerNo = settings.consumerNo
    this.takesAll = settings.tables.includes('*')
    this.actions = ACTIONS.filter((each) => each === 'read' || settings.actions.includes(each))
    this.#bits = this.actions.reduce((bits, each) => bits | bitOf(each), 0)
    this.#takesTable = compileTablePatterns(settings.tables)
    this.#filter = settings.filter === null ? null : compileStoredFilter(settings.filter)
    this.#cut = settings.columns && {
      record: compileProjection(settings.columns),
      changes: compileProjection(settings.columns),
    }
    const grouping = compileGrouping(settings.ordering, settings.groupBy)
    this.groupHash = (entry) => grouping.groupHash(entry)
    this.otherGroupHash = (entry) => grouping.otherGroupHash(entry)
    this.groupLabel = (entry) => grouping.groupLabel(entry)
  }

  selectsRelation(relation: Relation): boolean {
    if (this.takesAll) return true
    // Entries of one table come in runs.
    if (relation === this.#lastRelation) return this.#lastSelected
    this.#lastSelected = this.#lookUp(relation)
    this.#lastRelation = relation
    return this.#lastSelected
  }

  #lookUp(relation: Relation): boolean {
    const known = this.#verdicts.get(relation.relationNo)
    if (known?.relation === relation) return known.selected
    const selected = this.#takesTable(relation)
    if (known !== undefined || this.#verdicts.size < RELATIONS_KEPT_MAX) {
      this.#verdicts.set(relation.relationNo, { relation, selected })
    }
    return selected
  }

  matches(entry: LogEntry): FilterVerdict {
    if ((this.#bits & bitOf(entry.action)) === 0) return false
    if (!this.selectsRelation(entry.relation)) return false
    if (entry.recipientNo !== null && entry.recipientNo !== this.#consumerNo) return false
    return this.#filter === null ? true : this.#filter.evaluate(entry)
  }

  project(entry: LogEntry): Pick<LogEntry, 'record' | 'changes'> {
    const cut = this.#cut
    if (cut === null) return entry
    const { record, changes } = entry
    return { record: cut.record(record), changes: changes === null ? null : cut.changes(changes) }
  }
}

/**
 * A filter was checked when it was saved. Should a later version refuse it all the same,
 * its messages are set aside with the reason: nothing passes unfiltered, nothing is lost.
 */
function compileStoredFilter(expression: string): Pick<Filter, 'evaluate'> {
  try {
    return compileFilter(expression)
  } catch (error) {
    if (!(error instanceof FilterError)) throw error
    const failed = `The filter cannot be used. ${error.describe()}`
    return { evaluate: () => ({ failed }) }
  }
}
