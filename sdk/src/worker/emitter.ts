type Listener<Event> = (event: Event) => void

/** Events by name, typed. */
export class Emitter<Events> {
  readonly #listeners = new Map<keyof Events, Set<Listener<never>>>()

  /** Returns what takes the listener off again. */
  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, listeners)
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        ;(listener as Listener<Events[Name]>)(event)
      } catch (error) {
        // The listener's bug must not stop the queue, nor pass in silence.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}
