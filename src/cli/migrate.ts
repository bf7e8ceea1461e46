import type { Command } from 'commander'

import { readConfig } from '../config.ts'
import { createLogger } from '../log.ts'
import { openStorage } from '../open-storage.ts'
import { migrate } from '../storage/migrate.ts'
import { listenForStop } from './stop-signal.ts'
import { printLine, type Terminal } from './terminal.ts'

const EXAMPLES = `
Example, before a new version is rolled out:

  MILLRACE_STORAGE_URL=postgres://millrace:…@db.internal/millrace millrace migrate
`

export function addMigrateCommand(program: Command, terminal: Terminal): void {
  program
    .command('migrate')
    .description('bring the storage up to date and end; serve does it as well')
    .option('--json', 'for programs: JSON')
    .addHelpText('after', EXAMPLES)
    .action(({ json = false }: { json?: boolean }) => migrateStorage(terminal, json))
}

async function migrateStorage(
  { environment, stdout, stderr }: Terminal,
  json: boolean,
): Promise<void> {
  const config = readConfig(environment)
  const logger = createLogger({ level: config.logLevel, pretty: true, stream: stderr })
  const storage = await openStorage(config.storageUrl, logger, listenForStop(environment))
  try {
    const applied = await migrate(storage)
    if (json) return printLine(stdout, JSON.stringify({ applied }))
    for (const name of applied) printLine(stdout, `applied ${name}`)
    if (applied.length === 0) printLine(stdout, 'the storage is up to date')
  } finally {
    await storage.close()
  }
}
