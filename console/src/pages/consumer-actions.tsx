import { useLocation } from 'preact-iso'
import { useState } from 'preact/hooks'

import { client } from '../api.ts'
import { formatPlural } from '../format.ts'
import { purge } from '../messages.ts'
import { may } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { Confirm } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { Menu, type MenuItem } from '../ui/menu.tsx'
import { showToast } from '../ui/toast.tsx'
import { ReplayDialog } from './replay-dialog.tsx'
import { SeekDialog } from './seek-dialog.tsx'

interface ConsumerActionsProps {
  consumer: { name: string; source: string; paused: unknown }
  onChanged: () => void
}

type Open = 'pause' | 'seek' | 'replay' | 'purge' | 'delete'

/** What an operator may do with a queue as a whole. */
export function ConsumerActions({ consumer, onChanged }: ConsumerActionsProps) {
  const { name, paused } = consumer
  const { route } = useLocation()
  const [open, setOpen] = useState<Open>()
  const close = (): void => setOpen(undefined)
  const resume = async (): Promise<void> => {
    await client.consumers.resume(name)
    showToast(`${name} is delivered again.`)
    onChanged()
  }
  const items: MenuItem[] = [
    ...(may('manage')
      ? [
          { label: 'Seek …', run: () => setOpen('seek') },
          { label: 'Replay …', run: () => setOpen('replay') },
          { label: 'Purge …', danger: true, run: () => setOpen('purge') },
        ]
      : []),
    ...(may('admin') ? [{ label: 'Delete …', danger: true, run: () => setOpen('delete') }] : []),
  ]
  return (
    <div class="row">
      {may('manage') &&
        (paused ? (
          <Button icon="play" onClick={resume}>
            Resume
          </Button>
        ) : (
          <Button icon="pause" onClick={() => setOpen('pause')}>
            Pause
          </Button>
        ))}
      <Menu label="More" items={items} />
      {open === 'pause' && <PauseDialog name={name} onClose={close} onDone={onChanged} />}
      {open === 'seek' && <SeekDialog consumer={consumer} onClose={close} />}
      {open === 'replay' && <ReplayDialog name={name} onClose={close} />}
      {open === 'purge' && (
        <TypedConfirm
          name={name}
          title={`Purge ${name}?`}
          action="Purge it"
          onClose={close}
          onConfirm={async () => {
            const { purged } = await purge(name)
            showToast(`${formatPlural(purged, 'message')} purged.`)
          }}
        >
          <p>
            Nothing that is in the log now will be delivered to it, dead letters included. Other
            consumers do not notice.
          </p>
        </TypedConfirm>
      )}
      {open === 'delete' && (
        <TypedConfirm
          name={name}
          title={`Delete ${name}?`}
          action="Delete it"
          onClose={close}
          onConfirm={async () => {
            await client.consumers.delete(name)
            route('/')
          }}
        >
          <p>Its queue goes with it. The log stays, and other consumers do not notice.</p>
        </TypedConfirm>
      )}
    </div>
  )
}

interface PauseDialogProps {
  name: string
  onClose: () => void
  onDone: () => void
}

function PauseDialog({ name, onClose, onDone }: PauseDialogProps) {
  const [reason, setReason] = useState('')
  const pause = async (): Promise<void> => {
    await client.consumers.pause(name, reason === '' ? {} : { reason })
    onDone()
  }
  return (
    <Confirm title={`Pause ${name}?`} action="Pause" onConfirm={pause} onClose={onClose}>
      <p>Nothing is delivered until somebody resumes it. What is in flight can still be acked.</p>
      <Field
        label="Why"
        value={reason}
        onInput={setReason}
        placeholder="maintenance of the warehouse"
        hint="Shown to whoever wonders. May stay empty."
        autofocus
      />
    </Confirm>
  )
}

interface TypedConfirmProps {
  name: string
  title: string
  action: string
  children: preact.ComponentChildren
  onConfirm: () => Promise<void>
  onClose: () => void
}

/** For what cannot be undone: the name has to be typed. */
function TypedConfirm({ name, children, ...props }: TypedConfirmProps) {
  const [typed, setTyped] = useState('')
  return (
    <Confirm {...props} danger disabled={typed !== name}>
      {children}
      <Field label={`Type ${name} to confirm`} value={typed} onInput={setTyped} autofocus />
    </Confirm>
  )
}
