import { formatMicroseconds } from '../../log/envelope.ts'
import type { LogEntry } from '../../log/entry.ts'
import type { FilterReferences } from './filter-references.ts'
import { MemberPicker } from './pick-members.ts'
import { readCelMembers, readCelValue } from './read-cel-value.ts'

/** The variables of a filter for one entry. */
export interface FilterVariables {
  record: Map<string, unknown>
  changes: Map<string, unknown> | null
  action: string
  metadata: Map<string, unknown>
}

/** Members of `metadata` that a filter can read. */
export const METADATA_MEMBERS = [
  'table_schema',
  'table_name',
  'commit_timestamp',
  'commit_lsn',
  'commit_idx',
  'unchanged_columns',
  'transaction_annotations',
] as const

/**
 * Makes the variables of one filter. Only the columns that the expression names are
 * read: scanning for them is cheaper than any cache of whole parsed records, and holds
 * no memory. The maps are used again for the next entry.
 */
export class FilterInput {
  readonly #readRecord: MemberReader
  readonly #readChanges: MemberReader
  readonly #readsMetadata: boolean
  readonly #changes = new Map<string, unknown>()
  readonly #variables: FilterVariables = {
    record: new Map(),
    changes: null,
    action: '',
    metadata: new Map(),
  }

  constructor(references: FilterReferences) {
    this.#readRecord = compileMemberReader(references.membersOf('record'))
    this.#readChanges = compileMemberReader(references.membersOf('changes'))
    this.#readsMetadata = references.membersOf('metadata')?.length !== 0
  }

  /** Valid until the next call. */
  read(entry: LogEntry): FilterVariables {
    const variables = this.#variables
    variables.action = entry.action
    this.#readRecord(entry.record, variables.record)
    variables.changes = entry.changes === null ? null : this.#changes
    if (entry.changes !== null) this.#readChanges(entry.changes, this.#changes)
    if (this.#readsMetadata) readMetadata(entry, variables.metadata)
    return variables
  }
}

type MemberReader = (json: string, into: Map<string, unknown>) => void

function compileMemberReader(names: string[] | null): MemberReader {
  if (names === null) {
    return (json, into) => {
      into.clear()
      readCelMembers(json, into)
    }
  }
  if (names.length === 0) return () => {}
  const picker = new MemberPicker(names)
  return (json, into) => {
    into.clear()
    picker.pick(json)
    for (let i = 0; i < names.length; i++) {
      const text = picker.texts[i]!
      if (text !== null) into.set(names[i]!, readCelValue(text))
    }
  }
}

function readMetadata(entry: LogEntry, into: Map<string, unknown>): void {
  into.clear()
  if (entry.extra !== null) readCelMembers(`{${entry.extra}}`, into)
  into.set('table_schema', entry.relation.schema)
  into.set('table_name', entry.relation.table)
  into.set('commit_timestamp', formatMicroseconds(entry.committedAtUs))
  into.set('commit_lsn', BigInt(entry.commitLsn))
  into.set('commit_idx', BigInt(entry.commitIdx))
}
