import { useSyncExternalStore } from '../use-store.ts'

interface Toast {
  id: number
  text: string
  kind: 'plain' | 'bad'
}

const SHOWN_MS = { plain: 4000, bad: 9000 }
const TOASTS_MAX = 4

let toasts: readonly Toast[] = []
let nextId = 1
const listeners = new Set<() => void>()

function setToasts(next: readonly Toast[]): void {
  toasts = next
  for (const listener of listeners) listener()
}

export function showToast(text: string, kind: Toast['kind'] = 'plain'): void {
  const id = nextId++
  setToasts([...toasts, { id, text, kind }].slice(-TOASTS_MAX))
  setTimeout(() => setToasts(toasts.filter((toast) => toast.id !== id)), SHOWN_MS[kind])
}

export function Toasts() {
  const shown = useSyncExternalStore(listeners, () => toasts)
  return (
    <div class="toasts" role="status" aria-live="polite">
      {shown.map(({ id, text, kind }) => (
        <div key={id} class={`toast ${kind}`}>
          {text}
        </div>
      ))}
    </div>
  )
}
