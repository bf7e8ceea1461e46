import { useEffect, useReducer } from 'preact/hooks'

/** Renders again when what `read` answers has changed. */
export function useSyncExternalStore<T>(listeners: Set<() => void>, read: () => T): T {
  const [, renderAgain] = useReducer((count: number) => count + 1, 0)
  const value = read()
  useEffect(() => {
    let shown = value
    const listener = (): void => {
      const next = read()
      if (Object.is(next, shown)) return
      shown = next
      renderAgain(undefined)
    }
    listeners.add(listener)
    // It may have changed between rendering and now.
    listener()
    return () => {
      listeners.delete(listener)
    }
  }, [value])
  return value
}
