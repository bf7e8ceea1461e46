import { useState } from 'preact/hooks'

import { formatPlural } from '../format.ts'
import { replay, type Target } from '../messages.ts'
import { Confirm } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { showToast } from '../ui/toast.tsx'
import { TargetField } from './target-field.tsx'

/** Delivers old messages again, beside what is going on. */
export function ReplayDialog({ name, onClose }: { name: string; onClose: () => void }) {
  const [from, setFrom] = useState<Target>('earliest')
  const [to, setTo] = useState<Target>('latest')
  const [key, setKey] = useState('')
  const run = async (): Promise<void> => {
    const { total } = await replay(name, from, to, key.trim())
    showToast(`The replay has begun: ${formatPlural(total, 'message')} at most.`)
  }
  return (
    <Confirm title={`Replay to ${name}`} action="Replay" onConfirm={run} onClose={onClose}>
      <p class="muted">
        The cursor stays where it is: new changes go on being delivered meanwhile. Replayed messages
        say so in <code>delivery.replay</code>.
      </p>
      <TargetField legend="From" value={from} onChange={setFrom} />
      <TargetField legend="To" value={to} onChange={setTo} />
      <Field
        label="Only of one row"
        value={key}
        onInput={setKey}
        placeholder="42"
        hint="Its primary key. Empty: all rows."
        mono
      />
    </Confirm>
  )
}
