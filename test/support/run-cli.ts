import { Readable, Writable } from 'node:stream'

import { runCli } from '../../src/cli.ts'

export interface CliRun {
  code: number
  out: string[]
  errors: string
}

function collect(): { stream: Writable; readText: () => string } {
  const chunks: string[] = []
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      chunks.push(chunk)
      done()
    },
  })
  return { stream, readText: () => chunks.join('') }
}

/** Runs a command line in this process, with an environment of its own. */
export async function runCommand(
  environment: Record<string, string>,
  commandLine: readonly string[],
  options: { stdin?: string } = {},
): Promise<CliRun> {
  const [out, errors] = [collect(), collect()]
  const code = await runCli(commandLine, {
    environment,
    stdin: Readable.from([options.stdin ?? '']),
    stdout: out.stream,
    stderr: errors.stream,
    isInteractive: false,
    hasColors: false,
    paint: (_format, text) => text,
  })
  return { code, out: out.readText().split('\n').slice(0, -1), errors: errors.readText() }
}
