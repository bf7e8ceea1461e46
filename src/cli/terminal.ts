import type { Readable, Writable } from 'node:stream'
import { styleText } from 'node:util'

import type { Environment } from '../config.ts'

export type Paint = (format: Parameters<typeof styleText>[0], text: string) => string

/** Where a command reads its surroundings and writes what it has to say. */
export interface Terminal {
  readonly environment: Environment
  readonly stdin: Readable
  readonly stdout: Writable
  readonly stderr: Writable
  /** Whether a person looks at stdout. */
  readonly isInteractive: boolean
  /** Only for people, and only for those who want them. */
  readonly hasColors: boolean
  readonly paint: Paint
}

/** The terminal of this process. */
export function openTerminal(environment: Environment): Terminal {
  const isInteractive = process.stdout.isTTY
  // https://no-color.org: present and not empty.
  const hasColors = isInteractive && !environment['NO_COLOR'] && environment['TERM'] !== 'dumb'
  return {
    environment,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    isInteractive,
    hasColors,
    paint: (format, text) =>
      hasColors ? styleText(format, text, { validateStream: false }) : text,
  }
}

export function printLine(stream: Writable, text = ''): void {
  stream.write(`${text}\n`)
}
