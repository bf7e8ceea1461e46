import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const PROGRAM = new URL('../../bin/millrace.js', import.meta.url).pathname
const LINE_MS_MAX = 120_000

/** A `millrace` as a process of its own, and what it has said. */
export interface MillraceProcess {
  readonly child: ChildProcess
  /** All lines so far, of both streams. */
  readonly lines: readonly string[]
  readText(): string
  /** The first line that matches (and whose first group is `wanted`), said already or still to come. */
  waitForLine(pattern: RegExp, wanted?: (group: string) => boolean): Promise<RegExpMatchArray>
  /** Its exit code, once it has ended. */
  readonly ended: Promise<number | null>
}

/** Runs one command line in an environment of its own. */
export function runMillrace(
  commandLine: readonly string[],
  options: { environment?: Record<string, string>; cwd?: string; stdin?: 'ignore' | 'pipe' } = {},
): MillraceProcess {
  const child = spawn(process.execPath, [PROGRAM, ...commandLine], {
    cwd: options.cwd ?? process.cwd(),
    env: { PATH: process.env['PATH'], NO_COLOR: '1', ...options.environment },
    stdio: [options.stdin ?? 'ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  const watchers = new Set<() => void>()
  for (const stream of [child.stdout!, child.stderr!]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line)
      for (const watch of watchers) watch()
    })
  }
  const ended = once(child, 'close').then(([code]) => {
    for (const watch of watchers) watch()
    return code as number | null
  })
  const readText = (): string => lines.join('\n')
  return {
    child,
    lines,
    readText,
    ended,
    waitForLine: (pattern, wanted = () => true) =>
      new Promise((resolve, reject) => {
        const settle = (): void => {
          const match = lines
            .map((line) => pattern.exec(line))
            .find((found) => found !== null && wanted(found[1] ?? ''))
          const isOver = child.exitCode !== null || child.signalCode !== null
          if (!match && !isOver) return
          watchers.delete(settle)
          clearTimeout(timer)
          if (match) resolve(match)
          else reject(new Error(`it ended without saying ${pattern}:\n${readText()}`))
        }
        const timer = setTimeout(() => {
          watchers.delete(settle)
          reject(new Error(`it has not said ${pattern}, but:\n${readText()}`))
        }, LINE_MS_MAX)
        watchers.add(settle)
        settle()
      }),
  }
}
