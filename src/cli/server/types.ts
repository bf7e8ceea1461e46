import type { NumberMode } from '@millrace/client'
import type { Command } from 'commander'

import { ConfigError } from '../../config.ts'
import { CommandError } from '../exit-code.ts'
import type { Terminal } from '../terminal.ts'
import { addServerCommand } from './server-command.ts'
import { writeTypes } from './write-types.ts'

const MODES: readonly NumberMode[] = ['safe', 'string', 'native']

export function addTypesCommand(program: Command, terminal: Terminal): void {
  addServerCommand<{ source?: string; numbers?: string }>(program, terminal, {
    usage: 'types',
    description: 'TypeScript types of the captured tables, as rows arrive in `record`',
    options: [
      ['--source <name>', 'whose tables'],
      ['--numbers <mode>', 'as the client is made with: safe, string or native (safe)'],
    ],
    examples: ['types --source shop > tables.ts', 'types --source shop --json | jq .data[].table'],
    async run({ client, show }, _args, { source, numbers = 'safe' }) {
      if (source === undefined) throw new ConfigError(['--source is missing: whose tables?'])
      const mode = MODES.find((each) => each === numbers)
      if (mode === undefined) {
        throw new ConfigError([`--numbers must be ${MODES.join(', ')}, not "${numbers}"`])
      }
      const tables = await client.sources.tables(source)
      if (!tables.data.some(({ captured }) => captured)) {
        throw new CommandError(`No table of the source "${source}" is captured.`)
      }
      show(tables, () => writeTypes(source, tables, mode).trimEnd().split('\n'))
    },
  })
}
