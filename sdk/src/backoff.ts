export interface RetryPolicy {
  /** How often a request is sent at most. 1: never again. */
  attempts: number
  /** The wait before the second attempt is random between 0 and this; it doubles from there. */
  baseMs: number
  /** No wait is longer. A server that asks for more with `Retry-After` gets its error thrown. */
  maxMs: number
}

/** Full jitter: clients that failed together do not come back together. */
export function backoffMs(failures: number, { baseMs, maxMs }: Omit<RetryPolicy, 'attempts'>) {
  return Math.random() * Math.min(maxMs, baseMs * 2 ** (failures - 1))
}

/** Waits; rejects with the signal's reason as soon as it aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error)
    const onAbort = () => {
      clearTimeout(timer)
      reject(signal?.reason as Error)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
