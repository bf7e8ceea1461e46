import type { Terminal } from './terminal.ts'
import { printLine } from './terminal.ts'

/** What takes longer is announced; what does not would only flicker by. */
const QUIET_MS = 1000

export type Progress = <T>(label: string, work: () => Promise<T>) => Promise<T>

/** Says what is being waited for, and in the end how long it took, until it is given up. */
export function createProgress({ stdout, paint }: Terminal, signal: AbortSignal): Progress {
  return async (label, work) => {
    const startedAt = performance.now()
    let isAnnounced = false
    const timer = setTimeout(() => {
      if (signal.aborted) return
      isAnnounced = true
      printLine(stdout, paint('gray', `${label} …`))
    }, QUIET_MS)
    try {
      const result = await work()
      if (isAnnounced && !signal.aborted) {
        const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
        printLine(stdout, paint('gray', `${label}: done in ${seconds} s`))
      }
      return result
    } finally {
      clearTimeout(timer)
    }
  }
}
