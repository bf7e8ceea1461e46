import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'

import { explainError } from '../api.ts'
import { copyText } from '../copy-text.ts'
import { Icon, type IconName } from './icon.tsx'
import { showToast } from './toast.tsx'

interface ButtonProps {
  children?: ComponentChildren
  icon?: IconName
  kind?: 'primary' | 'danger' | 'quiet'
  small?: boolean
  type?: 'button' | 'submit'
  disabled?: boolean
  /** What it began is on its way. */
  busy?: boolean
  /** For a button of an icon alone. */
  label?: string
  title?: string
  expanded?: boolean
  /** While its promise is on its way the button waits; what it throws is told. */
  onClick?: () => unknown
}

export function Button(props: ButtonProps) {
  const { children, icon, kind, small, type = 'button', disabled, label, onClick } = props
  const { busy = false } = props
  const [isBusy, setIsBusy] = useState(false)
  const run = async (): Promise<void> => {
    const answer = onClick?.()
    if (!(answer instanceof Promise)) return
    setIsBusy(true)
    try {
      await answer
    } catch (error) {
      showToast(explainError(error), 'bad')
    } finally {
      setIsBusy(false)
    }
  }
  const classes = ['button', kind, small && 'small', !children && 'icon'].filter(Boolean)
  return (
    <button
      type={type}
      class={classes.join(' ')}
      disabled={disabled || isBusy || busy}
      aria-busy={isBusy || busy}
      aria-label={label}
      aria-expanded={props.expanded}
      title={props.title ?? label}
      {...(onClick ? { onClick: () => void run() } : {})}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  )
}

/** Copies, and says that it did. */
export function CopyButton({
  text,
  label = 'Copy',
}: {
  text: string | (() => string)
  label?: string
}) {
  const [isDone, setIsDone] = useState(false)
  const copy = async (): Promise<void> => {
    await copyText(typeof text === 'string' ? text : text())
    setIsDone(true)
    setTimeout(() => setIsDone(false), 1500)
  }
  return (
    <Button small kind="quiet" icon={isDone ? 'check' : 'copy'} onClick={copy}>
      {isDone ? 'Copied' : label}
    </Button>
  )
}
