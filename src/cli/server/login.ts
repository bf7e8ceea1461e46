import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'

import { ApiError, createClient } from '@millrace/client'
import type { Command } from 'commander'

import { ConfigError, readClientConfig } from '../../config.ts'
import { CommandError, EXIT_CODE } from '../exit-code.ts'
import { removeLogin, writeLogin } from '../login-file.ts'
import { printLine, type Terminal } from '../terminal.ts'
import { exitCodeOf, isServerError } from './server-command.ts'

const EXAMPLES = `
The token comes from --token, from MILLRACE_TOKEN, or is asked for. Examples:

  millrace login --url https://millrace.internal
  millrace login --url https://millrace.internal < token.txt
  millrace login --url http://127.0.0.1:4400 < .millrace/token
`

interface Flags {
  url?: string
  token?: string
  json?: boolean
}

export function addLoginCommands(program: Command, terminal: Terminal): void {
  program
    .command('login')
    .description('keep an address and a token for the other commands')
    .option('--url <address>', 'of the server (MILLRACE_URL; http://127.0.0.1:4400)')
    .option('--token <token>', 'everybody on this machine can read it on a command line')
    .option('--json', 'for programs: JSON')
    .addHelpText('after', EXAMPLES)
    .action((flags: Flags) => logIn(terminal, flags))
  program
    .command('logout')
    .description('forget what login keeps; the token stays valid: see `tokens delete`')
    .option('--json', 'for programs: JSON')
    .addHelpText('after', '\nExample:\n  millrace logout\n')
    .action(async ({ json }: Flags) => {
      const removed = await removeLogin(terminal.environment)
      const text = removed ? 'forgotten' : 'there was nothing to forget'
      printLine(terminal.stdout, json ? JSON.stringify({ removed }) : text)
    })
}

async function logIn(terminal: Terminal, flags: Flags): Promise<void> {
  const { url, token: given } = readClientConfig(terminal.environment, flags)
  const token = given ?? (await askForToken(terminal))
  if (token === '') throw new ConfigError(['There is no token: give one on stdin'])
  await expectValid(url, token)
  const file = await writeLogin(terminal.environment, { url, token })
  const shown = flags.json ? JSON.stringify({ url, file }) : `logged in to ${url}: kept in ${file}`
  printLine(terminal.stdout, shown)
}

/** One line of stdin; what a person types is not shown. */
async function askForToken({ stdin, stderr }: Terminal): Promise<string> {
  const isTyped = 'isTTY' in stdin && stdin.isTTY === true
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: stdin, output: silence, terminal: isTyped })
  if (isTyped) stderr.write('Token: ')
  try {
    for await (const line of lines) return line.trim()
    return ''
  } finally {
    lines.close()
    if (isTyped) printLine(stderr)
  }
}

/** A token that may not look is a token all the same. */
async function expectValid(url: string, token: string): Promise<void> {
  try {
    await createClient({ baseUrl: url, token }).consumers.list({ limit: 1 })
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) return
    if (!isServerError(error)) throw error
    const code = exitCodeOf(error)
    const message = code === EXIT_CODE.denied ? `${url} does not know this token.` : error.message
    throw new CommandError(message, code, { cause: error })
  }
}
