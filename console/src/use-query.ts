import { useCallback, useEffect, useRef, useState } from 'preact/hooks'

export interface Query<T> {
  /** Of the newest answer; kept while the next one is on its way. */
  data: T | undefined
  error: unknown
  isLoading: boolean
  reload: () => void
}

/**
 * Asks the API when `key` changes, and again every `everyMs` while the page is looked at.
 * An answer that comes after the key has changed is dropped.
 */
export function useQuery<T>(
  key: string,
  load: (signal: AbortSignal) => Promise<T>,
  { everyMs }: { everyMs?: number } = {},
): Query<T> {
  const [state, setState] = useState<{ key: string; data?: T; error?: unknown }>({ key: '' })
  const [turn, setTurn] = useState(0)
  const latest = useRef(load)
  latest.current = load

  useEffect(() => {
    const controller = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const run = async (): Promise<void> => {
      if (!document.hidden || everyMs === undefined) {
        try {
          const data = await latest.current(controller.signal)
          if (!controller.signal.aborted) setState({ key, data })
        } catch (error) {
          if (controller.signal.aborted) return
          setState((before) => (before.key === key ? { ...before, error } : { key, error }))
        }
      }
      if (everyMs !== undefined && !controller.signal.aborted) {
        timer = setTimeout(() => void run(), everyMs)
      }
    }
    void run()
    return () => {
      controller.abort()
      clearTimeout(timer)
    }
  }, [key, turn, everyMs])

  const reload = useCallback(() => setTurn((count) => count + 1), [])
  const isCurrent = state.key === key
  return {
    data: isCurrent ? state.data : undefined,
    error: isCurrent ? state.error : undefined,
    isLoading: !isCurrent,
    reload,
  }
}
