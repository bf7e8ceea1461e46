import type { LogEntry } from '../../log/entry.ts'
import { otherRowGroupHash, hashGroup, labelGroup, rowGroupHash } from './group-identity.ts'
import { MemberPicker } from './pick-members.ts'

/** How a consumer orders its messages. 0 and null: the entry belongs to no group. */
export interface Grouping {
  groupHash(entry: LogEntry): number
  /** The group an update took the row out of, or 0. */
  otherGroupHash(entry: LogEntry): number
  groupLabel(entry: LogEntry): string | null
}

export function compileGrouping(
  ordering: 'group' | 'none',
  groupBy: readonly string[] | null,
): Grouping {
  if (ordering === 'none') return withoutGroups
  return groupBy === null || groupBy.length === 0 ? byRow : new ColumnGrouping(groupBy)
}

const withoutGroups: Grouping = {
  groupHash: () => 0,
  otherGroupHash: () => 0,
  groupLabel: () => null,
}

const byRow: Grouping = {
  groupHash: rowGroupHash,
  otherGroupHash: otherRowGroupHash,
  groupLabel: ({ relation, key }) =>
    key === null ? null : labelGroup(relation, key, relation.keyColumns.length),
}

/** Groups by the values of columns: those the row has, and those an update took away. */
class ColumnGrouping implements Grouping {
  readonly #record: MemberPicker
  readonly #changes: MemberPicker

  constructor(columns: readonly string[]) {
    this.#record = new MemberPicker(columns)
    this.#changes = new MemberPicker(columns)
  }

  groupHash(entry: LogEntry): number {
    const key = this.#readKey(entry)
    return key === null ? 0 : hashGroup(entry.relation, key)
  }

  otherGroupHash(entry: LogEntry): number {
    if (entry.changes === null || this.#changes.pick(entry.changes) === 0) return 0
    const key = this.#readKey(entry)
    if (key === null) return 0
    const now = this.#record.texts
    const former = this.#changes.texts.map((text, i) => text ?? now[i] ?? 'null').join(',')
    return former === key ? 0 : hashGroup(entry.relation, former)
  }

  groupLabel(entry: LogEntry): string | null {
    const key = this.#readKey(entry)
    return key === null ? null : labelGroup(entry.relation, key, this.#record.names.length)
  }

  /** As a primary key is written: the inside of a JSON array. A column the record lacks is null. */
  #readKey(entry: LogEntry): string | null {
    // A truncate speaks of no row.
    if (entry.action === 'truncate') return null
    this.#record.pick(entry.record)
    const { texts } = this.#record
    if (texts.length === 1) return texts[0] ?? 'null'
    return texts.map((text) => text ?? 'null').join(',')
  }
}
