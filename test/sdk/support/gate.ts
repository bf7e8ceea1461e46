/** A promise that a test opens. */
export interface Gate extends Promise<void> {
  open(): void
}

export function createGate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>()
  return Object.assign(promise, { open: resolve })
}
