import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'

import { explainError } from '../api.ts'
import { Button } from './button.tsx'

interface DialogProps {
  title: string
  children: ComponentChildren
  wide?: boolean
  /** Without a heading and a margin: what it holds fills it. */
  bare?: boolean
  onClose: () => void
}

/** The browser's own dialog: it keeps the focus and closes with Escape. */
export function Dialog({ title, children, wide, bare, onClose }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null)
  const isGone = useRef(false)
  useLayoutEffect(() => {
    const dialog = element.current!
    dialog.showModal()
    // Taken out of the page while it is open, it would give the focus back to nobody.
    return () => {
      isGone.current = true
      dialog.close()
    }
  }, [])
  return (
    <dialog
      ref={element}
      class={`dialog ${wide ? 'wide' : ''} ${bare ? 'bare' : ''}`}
      aria-label={title}
      onClose={() => !isGone.current && onClose()}
      onClick={(event) => {
        if (event.target === element.current) onClose()
      }}
    >
      {bare ? (
        children
      ) : (
        <div class="dialog-body">
          <h2>{title}</h2>
          {children}
        </div>
      )}
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

/** Asks, does it, and closes; Enter in a field confirms. What goes wrong is said in place. */
export function Confirm(props: ConfirmProps) {
  const [fault, setFault] = useState('')
  const [isBusy, setIsBusy] = useState(false)
  const run = async (): Promise<void> => {
    setFault('')
    setIsBusy(true)
    try {
      await props.onConfirm()
      props.onClose()
    } catch (error) {
      setFault(explainError(error))
      setIsBusy(false)
    }
  }
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          void run()
        }}
      >
        {props.children}
        {fault && (
          <p class="form-error" role="alert">
            {fault}
          </p>
        )}
        <div class="dialog-foot">
          <Button onClick={props.onClose}>Cancel</Button>
          <Button
            type="submit"
            kind={props.danger ? 'danger' : 'primary'}
            disabled={props.disabled ?? false}
            busy={isBusy}
          >
            {props.action}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
