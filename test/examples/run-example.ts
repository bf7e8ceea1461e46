import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { onTestFinished } from 'vitest'

const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url))
const LINE_MS_MAX = 45_000

export interface RunningExample {
  readonly child: ChildProcess
  readonly lines: string[]
  /** Resolves when it has said as many lines that match, with these. */
  waitForLines(pattern: RegExp, count?: number): Promise<string[]>
  /** SIGTERM; answers its exit code. */
  stop(): Promise<number | null>
  readonly ended: Promise<number | null>
}

/** Runs an example as its own comment says; it is killed when the test ends. */
export function runExample(
  commandLine: readonly string[],
  environment: Record<string, string>,
): RunningExample {
  const [program = '', ...args] = commandLine
  // The Node of this process reads TypeScript; the first in the path may be an older one.
  const child = spawn(program === 'node' ? process.execPath : program, args, {
    cwd: EXAMPLES,
    env: { PATH: process.env['PATH'], NODE_NO_WARNINGS: '1', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  const watchers = new Set<() => void>()
  const wake = (): void => {
    for (const watch of watchers) watch()
  }
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on('line', (line) => {
      lines.push(line)
      wake()
    })
  }
  const ended = once(child, 'close').then(([code]) => {
    wake()
    return code as number | null
  })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return {
    child,
    lines,
    ended,
    stop() {
      child.kill('SIGTERM')
      return ended
    },
    waitForLines: (pattern, count = 1) =>
      new Promise((resolve, reject) => {
        const finish = (failure?: string): void => {
          watchers.delete(look)
          clearTimeout(timer)
          const found = lines.filter((line) => pattern.test(line))
          if (failure === undefined) resolve(found)
          else reject(new Error(`${failure} ${pattern} ${count} times, but:\n${lines.join('\n')}`))
        }
        const look = (): void => {
          if (lines.filter((line) => pattern.test(line)).length >= count) finish()
          else if (child.exitCode !== null) finish('it ended without saying')
        }
        const timer = setTimeout(() => finish('it has not said'), LINE_MS_MAX)
        watchers.add(look)
        look()
      }),
  }
}
