import { formatInline } from './json.tsx'

interface DiffProps {
  record: Record<string, unknown>
  /** Previous values of the columns that changed. */
  changes: Record<string, unknown>
}

/** What an update changed, column by column. */
export function Diff({ record, changes }: DiffProps) {
  const columns = Object.keys(changes)
  if (columns.length === 0)
    return (
      <p class="muted">
        Postgres sent no previous values: it does under <code>replica identity full</code>.
      </p>
    )
  return (
    <div class="card table-wrap">
      <table class="diff">
        <thead>
          <tr>
            <th>Column</th>
            <th>Before</th>
            <th>After</th>
          </tr>
        </thead>
        <tbody>
          {columns.map((column) => (
            <tr key={column}>
              <td class="mono">{column}</td>
              <td class="mono before">{formatInline(changes[column])}</td>
              <td class="mono after">
                {column in record ? formatInline(record[column]) : 'unchanged, not sent'}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
