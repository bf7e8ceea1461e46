import type { Change } from '../messages.ts'
import { JsonCode } from '../ui/code.tsx'
import { Diff } from '../ui/diff.tsx'

/** The row, and what an update changed of it. */
export function Record({
  message: { action, record, changes },
}: {
  message: Pick<Change, 'action' | 'record' | 'changes'>
}) {
  return (
    <>
      {changes !== null && (
        <section class="section">
          <h3>Changed</h3>
          <Diff record={record} changes={changes} />
        </section>
      )}
      <section class="section">
        <h3>{action === 'delete' ? 'The row that was deleted' : 'Record'}</h3>
        <JsonCode value={record} label="Record" />
      </section>
    </>
  )
}

/** Where a change comes from. */
export function metadataOf(change: Change) {
  const { table_schema, table_name, commit_timestamp, commit_lsn, commit_idx, key } = change
  return { table_schema, table_name, key, commit_timestamp, commit_lsn, commit_idx }
}
