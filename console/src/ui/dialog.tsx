import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'

import { explainError } from '../api.ts'
import { Button } from './button.tsx'

interface DialogProps {
  title: string
  children: ComponentChildren
  wide?: boolean
  onClose: () => void
}

/** The browser's own dialog: it keeps the focus and closes with Escape. */
export function Dialog({ title, children, wide, onClose }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    element.current?.showModal()
  }, [])
  return (
    <dialog
      ref={element}
      class={wide ? 'dialog wide' : 'dialog'}
      aria-label={title}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === element.current) onClose()
      }}
    >
      <div class="dialog-body">
        <h2>{title}</h2>
        {children}
      </div>
    </dialog>
  )
}

interface ConfirmProps {
  title: string
  children: ComponentChildren
  action: string
  danger?: boolean
  disabled?: boolean
  onConfirm: () => Promise<unknown>
  onClose: () => void
}

/** Asks, does it, and closes; what goes wrong is said in place. */
export function Confirm(props: ConfirmProps) {
  const [fault, setFault] = useState('')
  const run = async (): Promise<void> => {
    setFault('')
    try {
      await props.onConfirm()
      props.onClose()
    } catch (error) {
      setFault(explainError(error))
    }
  }
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      {props.children}
      {fault && (
        <p class="form-error" role="alert">
          {fault}
        </p>
      )}
      <div class="dialog-foot">
        <Button onClick={props.onClose}>Cancel</Button>
        <Button
          kind={props.danger ? 'danger' : 'primary'}
          disabled={props.disabled ?? false}
          onClick={run}
        >
          {props.action}
        </Button>
      </div>
    </Dialog>
  )
}
