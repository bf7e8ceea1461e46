import type { Command } from 'commander'

import { ConfigError, readConfig, type Config } from '../config.ts'
import type { DevServer } from '../dev/dev.ts'
import { SetUpError } from '../dev/set-up-error.ts'
import { createLogger } from '../log.ts'
import { CommandError } from './exit-code.ts'
import { createProgress } from './progress.ts'
import { listenForStop } from './stop-signal.ts'
import { printLine, type Terminal } from './terminal.ts'

/** Below the current directory, kept between runs. */
export const DATA_DIRECTORY = '.millrace'

const EXAMPLES = `
Examples:
  millrace dev                                    a shop, orders, and three services
  millrace dev --no-demo                          empty, to connect what you like
  millrace dev --source postgres://me@localhost/app   a database of yours
  millrace dev --port 0 --data ./try              any free port, data elsewhere

Everything is kept in --data and goes on from there at the next start.
`

interface DevFlags {
  demo: boolean
  source?: string
  port?: string
  data: string
}

export function addDevCommand(program: Command, terminal: Terminal): void {
  program
    .command('dev')
    .description('everything on this machine: Postgres, the server, and a demo shop')
    .option('--no-demo', 'without the demo: the server and an empty database')
    .option('--source <url>', 'capture this database instead of the demo')
    .option('--port <number>', 'where to listen; 0: any free port (default: 4400)')
    .option('--data <directory>', 'where everything is kept', DATA_DIRECTORY)
    .addHelpText('after', EXAMPLES)
    .action((flags: DevFlags) => runDev(terminal, flags))
}

async function runDev(terminal: Terminal, flags: DevFlags): Promise<void> {
  const { stdout, paint } = terminal
  const config = readDevConfig(terminal, flags)
  const stopping = listenForStop(terminal.environment)
  const failed = Promise.withResolvers<string>()
  // Loaded when needed: the other commands answer sooner without it.
  const { startDev } = await import('../dev/dev.ts')
  const server = await startDev({
    directory: flags.data,
    config,
    withDemo: flags.demo,
    ...(flags.source === undefined ? {} : { sourceUrl: flags.source }),
    logger: createLogger({
      level: terminal.environment['MILLRACE_LOG_LEVEL'] ? config.logLevel : 'warn',
      pretty: true,
      stream: terminal.stderr,
      colors: terminal.hasColors,
    }),
    progress: createProgress(terminal),
    onOrder: (service, orderId, text) =>
      printLine(stdout, `${paint('cyan', service.padEnd(10))} order ${orderId}: ${text}`),
    onFailure: failed.resolve,
  }).catch(rethrowPlainly)
  const stopped = new Promise<undefined>((resolve) => {
    if (stopping.aborted) resolve(undefined)
    stopping.addEventListener('abort', () => resolve(undefined), { once: true })
  })
  if (!stopping.aborted) printWelcome(terminal, server, flags)
  const failure = await Promise.race([failed.promise, stopped])
  printLine(stdout, paint('gray', 'stopping …'))
  await server.stop()
  if (failure !== undefined) throw new CommandError(failure)
  printLine(stdout, paint('gray', 'stopped; the next start goes on from here'))
}

/** The same variables as `serve`, but for what the directory holds. */
function readDevConfig({ environment }: Terminal, flags: DevFlags): Config {
  if (flags.port !== undefined && !/^\d{1,5}$/.test(flags.port)) {
    throw new ConfigError(['--port must be a number from 0 to 65535'])
  }
  if (flags.source !== undefined && !/^postgres(ql)?:\/\/.+\/.+/.test(flags.source)) {
    throw new ConfigError([
      '--source must be a Postgres URL with a database, such as postgres://user@host/app',
    ])
  }
  return readConfig({
    ...environment,
    ...(flags.port === undefined ? {} : { MILLRACE_PORT: flags.port }),
    // Asked for by readConfig, and given by the directory later on.
    MILLRACE_STORAGE_URL: 'postgres://localhost/millrace',
    MILLRACE_SECRET_KEY: undefined,
    MILLRACE_ADMIN_TOKEN: undefined,
  })
}

function rethrowPlainly(error: unknown): never {
  if (error instanceof SetUpError) throw new CommandError(error.message)
  throw error
}

function printWelcome(terminal: Terminal, server: DevServer, flags: DevFlags): void {
  const { stdout, paint } = terminal
  const { address, directory, shopUrl, source } = server
  const authorization = `-H 'authorization: Bearer ${directory.adminToken}'`
  const facts: [string, string][] = [
    // Behind the # it is sent to no server, and so gets into no log.
    ['console', `${address}/#token=${directory.adminToken}`],
    ['address', address],
    ['token', directory.adminToken],
    ['database', flags.source ?? shopUrl],
  ]
  printLine(stdout)
  for (const [name, value] of facts)
    printLine(stdout, `  ${paint('bold', name.padEnd(9))} ${value}`)
  printLine(stdout)
  const [what, command] =
    source !== undefined && flags.source === undefined
      ? [
          'How is shipping doing?',
          `curl -s ${address}/v1/consumers/shipping/stats ${authorization}`,
        ]
      : ['What is there?', `curl -s ${address}/v1/sources ${authorization}`]
  printLine(stdout, `  ${paint('gray', `${what} Paste this into another terminal:`)}`)
  printLine(stdout, `  ${command}`)
  printLine(stdout)
  printLine(
    stdout,
    `  ${paint('gray', 'Ctrl-C stops everything; the next start goes on from there.')}`,
  )
  printLine(stdout)
}
