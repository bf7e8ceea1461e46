import { useState } from 'preact/hooks'

import { client } from '../api.ts'
import { Confirm } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'

interface DeleteSourceProps {
  name: string
  onClose: () => void
  onDeleted: () => void
}

/** Asks for its name first: its log goes with it. */
export function DeleteSource({ name, onClose, onDeleted }: DeleteSourceProps) {
  const [typed, setTyped] = useState('')
  const remove = async (): Promise<void> => {
    await client.sources.delete(name)
    onDeleted()
  }
  return (
    <Confirm
      title={`Delete ${name}?`}
      action="Delete the source"
      danger
      disabled={typed !== name}
      onConfirm={remove}
      onClose={onClose}
    >
      <p>
        Its log goes, and its replication slot in the database is dropped. A source that has
        consumers is not deleted.
      </p>
      <Field label={`Type ${name} to confirm`} value={typed} onInput={setTyped} autofocus />
    </Confirm>
  )
}
