import { EXIT_CODE } from './exit-code.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * npm passes on the signal that the terminal has sent us already: what comes
 * this soon after the first is no second Ctrl-C.
 */
const ECHO_MS = 300

/** Aborts at the first signal to stop; a second one ends the process on the spot. */
export function listenForStop(): AbortSignal {
  const stopping = new AbortController()
  let firstAt = 0
  const onSignal = (): void => {
    if (!stopping.signal.aborted) {
      firstAt = performance.now()
      stopping.abort()
    } else if (performance.now() - firstAt > ECHO_MS) {
      process.exit(EXIT_CODE.interrupted)
    }
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  return stopping.signal
}
