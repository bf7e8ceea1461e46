import { useLayoutEffect, useRef, useState } from 'preact/hooks'

import { Button } from './button.tsx'

export interface MenuItem {
  label: string
  danger?: boolean
  run: () => void
}

export function Menu({ label, items }: { label: string; items: readonly MenuItem[] }) {
  const [isOpen, setIsOpen] = useState(false)
  const element = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    if (!isOpen) return
    element.current?.querySelector<HTMLElement>('[role=menuitem]')?.focus()
    const onPointer = (event: Event): void => {
      if (!element.current?.contains(event.target as Node)) setIsOpen(false)
    }
    document.addEventListener('pointerdown', onPointer)
    return () => document.removeEventListener('pointerdown', onPointer)
  }, [isOpen])
  const close = (): void => {
    setIsOpen(false)
    // The button: whatever opens next gives the focus back to it.
    element.current?.querySelector('button')?.focus()
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (!isOpen) return
    const entries = [...(element.current?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? [])]
    const at = entries.indexOf(document.activeElement as HTMLElement)
    if (event.key === 'Escape') close()
    else if (event.key === 'ArrowDown') entries[(at + 1) % entries.length]?.focus()
    else if (event.key === 'ArrowUp') entries.at(Math.max(0, at) - 1)?.focus()
    else if (event.key === 'Home') entries[0]?.focus()
    else if (event.key === 'End') entries.at(-1)?.focus()
    else {
      if (event.key === 'Tab') setIsOpen(false)
      return
    }
    event.preventDefault()
    event.stopPropagation()
  }
  if (items.length === 0) return null
  return (
    <div class="menu" ref={element} onKeyDown={onKeyDown}>
      <Button icon="more" label={label} expanded={isOpen} onClick={() => setIsOpen(!isOpen)} />
      {isOpen && (
        <div class="menu-list" role="menu">
          {items.map((item) => (
            <button
              key={item.label}
              type="button"
              role="menuitem"
              class={item.danger ? 'bad' : ''}
              onClick={() => {
                close()
                item.run()
              }}
            >
              {item.label}
            </button>
          ))}
        </div>
      )}
    </div>
  )
}
