import type { Command } from 'commander'

import { ConfigError, listMisspelt, readConfig } from '../config.ts'
import { ConfigurationFileError } from '../configuration/configuration-error.ts'
import { createLogger } from '../log.ts'
import { listenForStop, waitForStop } from './stop-signal.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Settings come from the environment (see the README). Example:

  MILLRACE_STORAGE_URL=postgres://millrace:…@db.internal/millrace \\
  MILLRACE_SECRET_KEY=$(openssl rand -base64 32) \\
  MILLRACE_ADMIN_TOKEN=$(openssl rand -hex 24) \\
  millrace serve
`

export function addServeCommand(program: Command, terminal: Terminal): void {
  program
    .command('serve')
    .description('run the server, from the environment alone')
    .addHelpText('after', EXAMPLES)
    .action(() => serve(terminal))
}

async function serve(terminal: Terminal): Promise<void> {
  const config = readConfig(terminal.environment)
  const logger = createLogger({
    level: config.logLevel,
    pretty: terminal.isInteractive,
    stream: terminal.stdout,
    colors: terminal.hasColors,
  })
  for (const line of listMisspelt(terminal.environment)) logger.warn(line)
  const signal = listenForStop(terminal.environment)
  // Loaded when needed: the other commands answer sooner without it.
  const { startServer } = await import('../main.ts')
  const { environment } = terminal
  const server = await startServer(config, logger, { signal, environment }).catch(
    (error: unknown) => {
      throw error instanceof ConfigurationFileError ? new ConfigError(error.lines) : error
    },
  )
  await waitForStop(signal)
  logger.info('stopping')
  await server.stop()
  logger.info('stopped')
}
