import { useLayoutEffect, useRef } from 'preact/hooks'

/** By key, or two keys in a row: `j`, `Escape`, `g o`; `mod k` is Ctrl or Cmd with K. */
export type Shortcuts = Record<string, (event: KeyboardEvent) => void>

/** How the key that `mod` stands for is called here. */
export const MOD_KEY = /Mac|iPhone|iPad/.test(navigator.userAgent) ? '⌘' : 'Ctrl'

const SEQUENCE_MS = 900

/** Listens while the component is shown. Typing in a field is not meant for us. */
export function useShortcuts(shortcuts: Shortcuts): void {
  const latest = useRef(shortcuts)
  latest.current = shortcuts
  // At once and not after the next paint: who sees the page may press a key.
  useLayoutEffect(() => {
    let first = ''
    let firstAt = 0
    const onKeyDown = (event: KeyboardEvent): void => {
      if (event.altKey || event.defaultPrevented) return
      if (event.ctrlKey || event.metaKey) {
        const run = latest.current[`mod ${event.key.toLowerCase()}`]
        if (!run) return
        event.preventDefault()
        return run(event)
      }
      if (event.key !== 'Escape' && isTyping(event.target)) return
      if (document.querySelector('dialog[open]')) return
      const sequence =
        first && event.timeStamp - firstAt < SEQUENCE_MS ? `${first} ${event.key}` : ''
      const run = latest.current[sequence] ?? latest.current[event.key]
      first = event.key
      firstAt = event.timeStamp
      if (!run) return
      event.preventDefault()
      run(event)
    }
    document.addEventListener('keydown', onKeyDown)
    return () => document.removeEventListener('keydown', onKeyDown)
  }, [])
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, textarea, select')
}
