import { formatMicroseconds } from '../log/envelope.ts'
import type { LogEntry } from '../log/entry.ts'
import type { ListedChange } from '../queue/operations/list-changes.ts'

/** An entry of the log as lists of changes have it. */
export function toListed(entry: LogEntry): ListedChange {
  return {
    seq: entry.seq,
    action: entry.action,
    tableSchema: entry.relation.schema,
    tableName: entry.relation.table,
    key: entry.key,
    commitTimestamp: formatMicroseconds(entry.committedAtUs),
    commitLsn: entry.commitLsn,
    commitIdx: entry.commitIdx,
    record: entry.record,
    changes: entry.changes,
  }
}
