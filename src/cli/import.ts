import { readFile } from 'node:fs/promises'
import { text as readText } from 'node:stream/consumers'

import type { Command } from 'commander'

import { ConfigError } from '../config.ts'
import type { SequinImport } from '../sequin/import-sequin.ts'
import { printLine, type Terminal } from './terminal.ts'

const EXAMPLES = `
What is not carried over is told on stderr, with the reason. Examples:

  millrace import sequin.yaml > millrace.yaml
  millrace import sequin.yaml --json | jq .notes
`

export function addImportCommand(program: Command, terminal: Terminal): void {
  program
    .command('import <file>')
    .description('turn a sequin.yaml into a millrace.yaml; changes nothing')
    .option('--json', 'for programs: JSON')
    .addHelpText('after', EXAMPLES)
    .action((path: string, { json = false }: { json?: boolean }) =>
      importFile(terminal, path, json),
    )
}

async function importFile(terminal: Terminal, path: string, json: boolean): Promise<void> {
  const { stdin, stdout, stderr } = terminal
  const text = await (path === '-' ? readText(stdin) : readFile(path, 'utf8')).catch(
    (error: Error) => {
      throw new ConfigError([`${path}: cannot be read: ${error.message}`])
    },
  )
  const imported = await convert(path, text)
  if (json) return printLine(stdout, JSON.stringify(imported))
  const { stringify } = await import('yaml')
  const yaml = stringify(imported.configuration, { lineWidth: 0, aliasDuplicateObjects: false })
  printLine(stdout, yaml.trimEnd())
  for (const { option, note } of imported.notes) printLine(stderr, `${option}: ${note}`)
}

async function convert(path: string, text: string): Promise<SequinImport> {
  const { importSequin } = await import('../sequin/import-sequin.ts')
  try {
    return importSequin(text)
  } catch (error) {
    throw new ConfigError([`${path}: ${(error as Error).message.split('\n')[0]}`])
  }
}
