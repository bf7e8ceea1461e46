import type { Command } from 'commander'

import { ConfigError, readConfig, type Config } from '../config.ts'
import type { DevServer } from '../dev/dev.ts'
import { SetUpError } from '../dev/set-up-error.ts'
import { EmbeddedPostgresError } from '../embedded/embedded-postgres-error.ts'
import { createLogger } from '../log.ts'
import { CommandError, EXIT_CODE } from './exit-code.ts'
import { createProgress } from './progress.ts'
import { listenForStop, waitForStop } from './stop-signal.ts'
import { printLine, type Terminal } from './terminal.ts'

/** Below the current directory, kept between runs. */
export const DATA_DIRECTORY = '.millrace'

/** Who writes a webhook runs it here, and whoever may create consumers here is that person. */
const PUSH_ALLOW = '127.0.0.0/8,::1/128'

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
  const signal = listenForStop(terminal.environment)
  const sayStopping = (): void => printLine(stdout, paint('gray', 'stopping …'))
  signal.addEventListener('abort', sayStopping)
  const failed = Promise.withResolvers<string>()
  const server = await start(terminal, flags, config, signal, failed.resolve)
  if (server) {
    const failure = await Promise.race([failed.promise, waitForStop(signal)])
    if (failure !== undefined) sayStopping()
    await server.stop()
    if (failure !== undefined) throw new CommandError(failure)
  }
  printLine(stdout, paint('gray', 'stopped; the next start goes on from here'))
}

/** Undefined: it was stopped before all of it ran, and nothing of it does. */
async function start(
  terminal: Terminal,
  flags: DevFlags,
  config: Config,
  signal: AbortSignal,
  onFailure: (reason: string) => void,
): Promise<DevServer | undefined> {
  const { stdout, paint } = terminal
  const progress = createProgress(terminal, signal)
  try {
    // Loaded when needed: the other commands answer sooner without it.
    const { startDev } = await progress('loading', () => import('../dev/dev.ts'))
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
      signal,
      progress,
      onOrder: (service, orderId, text) =>
        printLine(stdout, `${paint('cyan', service.padEnd(10))} order ${orderId}: ${text}`),
      onFailure,
    })
    if (!signal.aborted) printWelcome(terminal, server, flags)
    return server
  } catch (error) {
    if (signal.aborted) return undefined
    throw isForeseen(error)
      ? new CommandError(error.message, EXIT_CODE.failure, { cause: error })
      : error
  }
}

/** The same variables as `serve`, but for what the directory holds; webhooks on this machine are reached. */
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
    MILLRACE_PUSH_ALLOW: environment['MILLRACE_PUSH_ALLOW'] || PUSH_ALLOW,
    ...(flags.port === undefined ? {} : { MILLRACE_PORT: flags.port }),
    // Asked for by readConfig, and given by the directory later on.
    MILLRACE_STORAGE_URL: 'postgres://localhost/millrace',
    MILLRACE_SECRET_KEY: undefined,
    MILLRACE_ADMIN_TOKEN: undefined,
  })
}

/** Its message is all there is to say. */
function isForeseen(error: unknown): error is Error {
  return error instanceof SetUpError || error instanceof EmbeddedPostgresError
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
