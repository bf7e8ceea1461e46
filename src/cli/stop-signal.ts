import type { Environment } from '../config.ts'
import { EXIT_CODE } from './exit-code.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * npm passes on the signal that the terminal has sent us already: what comes
 * this soon after the first is no second Ctrl-C.
 */
const ECHO_MS = 300
const PARENT_CHECK_MS = 200

/**
 * Aborts at the first signal to stop; a second one ends the process on the spot.
 * The environment tells whether npm runs us, and may end without a signal to us.
 */
export function listenForStop(environment: Environment = {}): AbortSignal {
  const stopping = new AbortController()
  let firstAt = 0
  const stop = (): void => {
    if (!stopping.signal.aborted) firstAt = performance.now()
    stopping.abort()
  }
  const onSignal = (): void => {
    if (stopping.signal.aborted && performance.now() - firstAt > ECHO_MS) {
      process.exit(EXIT_CODE.interrupted)
    }
    stop()
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  // Whoever read what we say has gone (`millrace dev | head`): without a listener
  // the broken pipe would end us in the middle.
  process.stdout.on('error', stop)
  process.stderr.on('error', stop)
  if (environment['npm_lifecycle_event']) watchParent(stop)
  return stopping.signal
}

/** Resolves when it is time to stop, at once where it is already. */
export function waitForStop(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}

/**
 * npm runs scripts in a shell, and that does not pass signals on: who ends npm
 * ends the shell, and we only see that our parent is another one.
 */
function watchParent(onGone: () => void): void {
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    onGone()
  }, PARENT_CHECK_MS)
  timer.unref()
}
