import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'

import { useShortcuts } from '../keyboard.ts'
import { Button } from './button.tsx'

interface DrawerProps {
  title: string
  /** Beside the title. */
  head?: ComponentChildren
  children: ComponentChildren
  onClose: () => void
}

/** Beside the list it belongs to, which stays usable. Escape closes it. */
export function Drawer({ title, head, children, onClose }: DrawerProps) {
  const element = useRef<HTMLElement>(null)
  useShortcuts({ Escape: onClose })
  // Before the next key is pressed the focus is back where it was.
  useLayoutEffect(() => {
    const before = document.activeElement
    element.current?.focus()
    return () => {
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])
  return (
    <aside class="drawer" ref={element} tabIndex={-1} aria-label={title}>
      <div class="drawer-head">
        <h2>{title}</h2>
        {head}
        <Button kind="quiet" icon="close" label="Close" onClick={onClose} />
      </div>
      <div class="drawer-body">{children}</div>
    </aside>
  )
}
