import { join } from 'node:path'

import type { Command } from 'commander'
import pg from 'pg'

import { readShopUrl } from '../dev/dev-directory.ts'
import { DATA_DIRECTORY } from './dev.ts'
import { CommandError, EXIT_CODE } from './exit-code.ts'
import { printLine, type Terminal } from './terminal.ts'

const EXAMPLES = `
For machines without psql. Examples:

  millrace sql "select * from orders order by id desc limit 3"
  millrace sql "update orders set status = 'paid' where id = 1"
`

const CONNECT_MS_MAX = 5000

export function addSqlCommand(program: Command, terminal: Terminal): void {
  program
    .command('sql')
    .description('run SQL in the shop database of a running `millrace dev`')
    .argument('<statement>', 'one or more statements')
    .option('--data <directory>', 'what dev was started with', DATA_DIRECTORY)
    .addHelpText('after', EXAMPLES)
    .action((statement: string, options: { data: string }) =>
      runStatement(terminal, statement, options.data),
    )
}

async function runStatement(
  { stdout }: Terminal,
  statement: string,
  directory: string,
): Promise<void> {
  const url = await readShopUrl(directory)
  if (url === undefined) {
    throw new CommandError(
      `${join(directory)} is not the directory of a \`millrace dev\`; start one, or name it with --data`,
      EXIT_CODE.usage,
    )
  }
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS_MAX })
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (error) {
    throw new CommandError('the database does not answer: is `millrace dev` running?', 1, {
      cause: error,
    })
  }
  try {
    // Several statements answer with several results; their types know of one.
    const results = [await client.query<Record<string, unknown>>(statement)].flat()
    for (const { rows, command, rowCount } of results) {
      for (const row of rows) printLine(stdout, JSON.stringify(row))
      if (rows.length === 0) printLine(stdout, [command, rowCount].filter(isShown).join(' '))
    }
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : String(error))
  } finally {
    await client.end()
  }
}

function isShown(part: string | number | null): boolean {
  return part !== null
}
