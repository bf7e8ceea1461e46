import { Command, CommanderError } from 'commander'

import { addCompletionCommand } from './cli/completion.ts'
import { addDevCommand } from './cli/dev.ts'
import { CommandError, EXIT_CODE } from './cli/exit-code.ts'
import { addImportCommand } from './cli/import.ts'
import { addMigrateCommand } from './cli/migrate.ts'
import { addBenchCommand } from './cli/server/bench.ts'
import { addBackfillCommands } from './cli/server/backfill.ts'
import { addConfigurationCommands } from './cli/server/configuration.ts'
import { addConsumerCommands } from './cli/server/consumers.ts'
import { addDoctorCommand } from './cli/server/doctor.ts'
import { addLoginCommands } from './cli/server/login.ts'
import { addMovementCommands } from './cli/server/movements.ts'
import { addQueueCommands } from './cli/server/queue.ts'
import { addSourceCommands } from './cli/server/sources.ts'
import { addStatsCommand } from './cli/server/stats.ts'
import { addTailCommand } from './cli/server/tail.ts'
import { addTokenCommands } from './cli/server/tokens.ts'
import { addTypesCommand } from './cli/server/types.ts'
import { addServeCommand } from './cli/serve.ts'
import { addSqlCommand } from './cli/sql.ts'
import { openTerminal, printLine, type Terminal } from './cli/terminal.ts'
import { ConfigError, readEnvironment } from './config.ts'
import { redactText } from './log.ts'
import { UnfitStorageError } from './open-storage.ts'
import { VERSION } from './version.ts'

const HELP = `
Examples:
  millrace dev                    everything on this machine, with a demo shop
  millrace dev --no-demo          the same, empty
  millrace serve                  the server, from the environment
  millrace help serve             what serve reads from the environment
  millrace stats                  how the queues of a running server are doing

Exit codes:
  0  done      1  failed      2  wrong arguments or settings      3  refused: token or scope
  4  no such thing      5  the server does not answer      10  there are changes (plan)
  130  interrupted
`

/** Runs one command line and answers its exit code. */
export async function runCli(
  commandLine: readonly string[],
  terminal: Terminal = openTerminal(readEnvironment()),
): Promise<number> {
  try {
    await createProgram(terminal).parseAsync(commandLine, { from: 'user' })
    return EXIT_CODE.ok
  } catch (error) {
    return explainFailure(error, terminal)
  }
}

function createProgram(terminal: Terminal): Command {
  const program = new Command('millrace')
    .description('Turns the committed changes of Postgres tables into work queues.')
    .version(VERSION, '-V, --version')
    .addHelpText('after', HELP)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void terminal.stdout.write(text),
      writeErr: (text) => void terminal.stderr.write(text),
    })
    .showHelpAfterError('Run with --help to see what it takes. Flags come behind the command.')
  addDevCommand(program, terminal)
  addServeCommand(program, terminal)
  addMigrateCommand(program, terminal)
  addSqlCommand(program, terminal)
  addImportCommand(program, terminal)
  addConsumerCommands(program, terminal)
  addSourceCommands(program, terminal)
  addBackfillCommands(program, terminal)
  addTokenCommands(program, terminal)
  addQueueCommands(program, terminal)
  addStatsCommand(program, terminal)
  addMovementCommands(program, terminal)
  addTailCommand(program, terminal)
  addConfigurationCommands(program, terminal)
  addTypesCommand(program, terminal)
  addDoctorCommand(program, terminal)
  addLoginCommands(program, terminal)
  addBenchCommand(program, terminal)
  addCompletionCommand(program, terminal)
  return program
}

/** One clear line for what was foreseen; the stack for what was not. */
function explainFailure(error: unknown, { stderr }: Terminal): number {
  // Commander has said it already; help and version come as errors with code 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODE.ok : EXIT_CODE.usage
  if (error instanceof ConfigError) {
    for (const line of error.lines) printLine(stderr, line)
    return EXIT_CODE.usage
  }
  if (error instanceof CommandError) {
    printLine(stderr, redactText(error.message))
    return error.exitCode
  }
  if (error instanceof UnfitStorageError) {
    for (const line of error.message.split('\n')) {
      printLine(stderr, `MILLRACE_STORAGE_URL: ${redactText(line)}`)
    }
    return EXIT_CODE.usage
  }
  const refused = findRefusedPlace(error)
  if (refused) {
    printLine(stderr, refused.line)
    return refused.exitCode
  }
  if (error instanceof Error && error.name === 'AbortError') return EXIT_CODE.interrupted
  printLine(
    stderr,
    redactText(error instanceof Error ? (error.stack ?? error.message) : String(error)),
  )
  return EXIT_CODE.failure
}

/** Where the server cannot listen, why, and what to change; undefined: the failure is another one. */
function findRefusedPlace(error: unknown): { line: string; exitCode: number } | undefined {
  if (!(error instanceof Error)) return undefined
  const { code, syscall, address, port, hostname } = error as NodeJS.ErrnoException & {
    address?: string
    port?: number
    hostname?: string
  }
  if (syscall === 'getaddrinfo') {
    const line = `MILLRACE_HOST is not known here: ${hostname}`
    return { line, exitCode: EXIT_CODE.usage }
  }
  if (syscall !== 'listen') return undefined
  switch (code) {
    case 'EADDRINUSE':
    case 'EACCES': {
      const reason = code === 'EACCES' ? 'is not for us' : 'is in use'
      const line = `port ${port} at ${address} ${reason}: choose another with MILLRACE_PORT, or --port of dev`
      return { line, exitCode: EXIT_CODE.failure }
    }
    case 'EADDRNOTAVAIL':
      return {
        line: `MILLRACE_HOST is no address of this machine: ${address}`,
        exitCode: EXIT_CODE.usage,
      }
    default:
      return undefined
  }
}
