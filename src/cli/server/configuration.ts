import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline/promises'
import { text as readText } from 'node:stream/consumers'

import { ApiError, type components } from '@millrace/client'
import type { Command } from 'commander'

import { ConfigError } from '../../config.ts'
import type { ConfigurationFile } from '../../configuration/read-configuration.ts'
import { MillraceError, type ErrorCode } from '../../errors.ts'
import { CommandError, EXIT_CODE } from '../exit-code.ts'
import { printLine, type Terminal } from '../terminal.ts'
import { formatPlan } from './format-plan.ts'
import { addServerCommand, exitCodeOf } from './server-command.ts'

type Schemas = components['schemas']
type Request = Schemas['ConfigurationRequest']

const FILE = 'millrace.yaml'
const PRUNE = ['--prune', 'delete what is not in the file, in the sections it has'] as const

export function addConfigurationCommands(program: Command, terminal: Terminal): void {
  addServerCommand<{ prune?: boolean; detailedExitcode?: boolean }>(program, terminal, {
    usage: 'plan [file]',
    description: 'what applying a millrace.yaml would change; changes nothing',
    options: [PRUNE, ['--detailed-exitcode', 'end with 10 where there is something to change']],
    examples: ['plan', 'plan production.yaml --prune', 'plan --json | jq .changes[].name'],
    async run({ client, show }, [path], { prune = false, detailedExitcode }) {
      const file = await openFile(terminal, path)
      const plan = await client.configuration
        .plan(toRequest(file, prune))
        .catch(rethrowLocated(file))
      show(plan, () => formatPlan(plan, terminal.paint))
      if (detailedExitcode && plan.changes.length > 0) {
        throw new CommandError('There are changes to apply.', EXIT_CODE.changes)
      }
    },
  })
  addServerCommand<{ prune?: boolean; yes?: boolean }>(program, terminal, {
    usage: 'apply [file]',
    description: 'make the server be as a millrace.yaml says, wholly or not at all',
    options: [PRUNE, ['--yes', 'do not ask before something is deleted']],
    examples: ['apply', 'apply production.yaml --prune --yes'],
    async run({ client, show }, [path], { prune = false, yes }) {
      const file = await openFile(terminal, path)
      const request = toRequest(file, prune)
      if (prune && !yes) {
        const plan = await client.configuration.plan(request).catch(rethrowLocated(file))
        await confirmDeletions(terminal, plan, path)
      }
      const result = await client.configuration.apply(request).catch(rethrowLocated(file))
      show(result, () => [
        ...formatPlan(result, terminal.paint),
        ...result.secrets.map(({ kind, name, secret }) =>
          kind === 'token'
            ? `token ${name}: ${secret}`
            : `${kind} ${name}, signing secret: ${secret}`,
        ),
      ])
      if (result.secrets.length > 0) {
        printLine(terminal.stderr, 'Keep the secrets now: they are not shown again.')
      }
      const failed = result.not_deleted.map(
        ({ kind, name, reason }) => `${kind} ${name}: ${reason}`,
      )
      if (failed.length > 0) {
        throw new CommandError(`Not deleted, all else is done: ${failed.join('; ')}`)
      }
    },
  })
  addServerCommand(program, terminal, {
    usage: 'export',
    description: 'what is there as a millrace.yaml, with variables for secrets',
    examples: ['export > millrace.yaml'],
    async run({ client, show }) {
      const exported = await client.configuration.export()
      const { stringify } = await import('yaml')
      const yaml = stringify(exported.configuration, { lineWidth: 0 }).trimEnd().split('\n')
      show(exported, () => [...writeHeading(exported.variables), ...yaml])
      for (const { kind, name, reason } of exported.omitted) {
        printLine(terminal.stderr, `left out: ${kind} ${name}: ${reason}`)
      }
    },
  })
}

function writeHeading(variables: readonly string[]): string[] {
  if (variables.length === 0) return []
  return ['# Set these before it is applied:', ...variables.map((name) => `#   ${name}`), '']
}

/** `-` is stdin. */
async function openFile(terminal: Terminal, path = FILE): Promise<ConfigurationFile> {
  const { readConfiguration } = await import('../../configuration/read-configuration.ts')
  const { ConfigurationFileError } = await import('../../configuration/configuration-error.ts')
  try {
    const text = path === '-' ? await readText(terminal.stdin) : await readFile(path, 'utf8')
    return readConfiguration(path, text, terminal.environment)
  } catch (error) {
    if (error instanceof ConfigurationFileError) throw new ConfigError(error.lines)
    if (!(error instanceof Error && 'code' in error && 'syscall' in error)) throw error
    throw new ConfigError([
      error.code === 'ENOENT'
        ? `${path}: there is no such file here. To begin with what the server has: millrace export > ${FILE}`
        : `${path}: cannot be read: ${String(error.code)}`,
    ])
  }
}

function toRequest({ configuration }: ConfigurationFile, prune: boolean): Request {
  return { ...configuration, prune } as Request
}

/** What the server found wrong, by line and column of the file. */
function rethrowLocated({ locate }: ConfigurationFile): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof ApiError) || error.problem.errors.length === 0) throw error
    const { lines } = locate(
      new MillraceError(error.problem.code as ErrorCode, error.message, {
        errors: error.problem.errors,
      }),
    )
    throw new CommandError(lines.join('\n'), exitCodeOf(error), { cause: error })
  }
}

async function confirmDeletions(
  { stdin, stderr, isInteractive }: Terminal,
  { changes }: Schemas['ConfigurationPlan'],
  path: string | undefined,
): Promise<void> {
  const going = changes.filter(({ action }) => action === 'delete')
  if (going.length === 0) return
  const names = going.map(({ kind, name }) => `${kind} ${name}`).join(', ')
  // Where the file came by stdin nobody can answer there.
  if (!isInteractive || path === '-') {
    throw new ConfigError([`This would delete ${names}: say so with --yes`])
  }
  const lines = createInterface({ input: stdin, output: stderr })
  try {
    const answer = await lines.question(`Delete ${names}? [y/N] `)
    if (!/^y(es)?$/i.test(answer.trim())) throw new CommandError('Nothing was changed.')
  } finally {
    lines.close()
  }
}
