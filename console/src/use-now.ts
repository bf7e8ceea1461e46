import { useEffect, useState } from 'preact/hooks'

const listeners = new Set<() => void>()
let timer: ReturnType<typeof setInterval> | undefined

/** The time, anew every second, at once for all who show it: for "3 s ago". */
export function useNow(): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const listener = (): void => setNow(Date.now())
    listeners.add(listener)
    timer ??= setInterval(() => {
      for (const each of listeners) each()
    }, 1000)
    return () => {
      listeners.delete(listener)
      if (listeners.size > 0) return
      clearInterval(timer)
      timer = undefined
    }
  }, [])
  return now
}
