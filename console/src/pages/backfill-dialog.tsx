import { useState } from 'preact/hooks'

import { startBackfills, type BackfillOf } from '../backfills.ts'
import { formatPlural } from '../format.ts'
import { may } from '../session.ts'
import { Confirm } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { showToast } from '../ui/toast.tsx'

interface BackfillDialogProps {
  of: BackfillOf
  tables: readonly string[]
  onClose: () => void
  onStarted: () => void
}

/** Asks which rows that exist already are to be read. */
export function BackfillDialog({ of, tables, onClose, onStarted }: BackfillDialogProps) {
  const isOfSource = 'source' in of
  const only = tables.length === 1 && !tables[0]!.includes('*') ? tables[0]! : ''
  const [table, setTable] = useState(only)
  const [where, setWhere] = useState('')
  const [from, setFrom] = useState('')
  const start = async (): Promise<void> => {
    const started = await startBackfills(of, {
      table: table.trim(),
      ...(where.trim() === '' ? {} : { where }),
      ...(from.trim() === '' ? {} : { from_key: readKey(from) }),
    })
    showToast(`${formatPlural(started.length, 'backfill')} asked for.`)
    onStarted()
  }
  return (
    <Confirm
      title="Read existing rows"
      action="Start"
      disabled={isOfSource && table.trim() === ''}
      onConfirm={start}
      onClose={onClose}
    >
      <p class="muted">
        {isOfSource ? 'Every consumer of the table gets them.' : 'This consumer alone gets them.'} A
        row that changes meanwhile is never delivered stale, and the database is not slowed down by
        a long transaction.
      </p>
      <Field
        label="Table"
        value={table}
        onInput={setTable}
        placeholder={isOfSource ? 'public.orders' : 'every table it selects'}
        mono
        autofocus
      />
      <Field
        label="From the primary key"
        value={from}
        onInput={setFrom}
        placeholder="the first"
        hint='42, or [42, "a"] for several columns.'
        mono
      />
      {may('admin') && (
        <Field
          label="Where"
          value={where}
          onInput={setWhere}
          placeholder="total_price > 100"
          hint="SQL over the columns of the table. It runs with the rights of the source’s role."
          mono
        />
      )}
    </Confirm>
  )
}

/** `42`, `[42,"a"]`, or a text without quotes. */
function readKey(text: string): (string | number)[] {
  try {
    const value: unknown = JSON.parse(text)
    return (Array.isArray(value) ? value : [value]) as (string | number)[]
  } catch {
    return [text.trim()]
  }
}
