import {
  ApiError,
  AuthError,
  createClient,
  NetworkError,
  NotFoundError,
  TimeoutError,
  ValidationError,
  type Client,
} from '@millrace/client'
import type { Command } from 'commander'

import { readClientConfig, type ClientConfig } from '../../config.ts'
import { CommandError, EXIT_CODE } from '../exit-code.ts'
import { readLogin } from '../login-file.ts'
import { printLine, type Terminal } from '../terminal.ts'

/** What a command that talks to a server works with. */
export interface Session {
  readonly client: Client
  readonly terminal: Terminal
  /** One JSON value a line for programs, or the lines for people. */
  readonly show: (value: unknown, toLines: () => readonly string[]) => void
  /** `show` prints JSON. */
  readonly isForPrograms: boolean
}

interface ServerCommand<Flags> {
  /** Name and arguments, as commander writes them. */
  usage: string
  description: string
  /** Flags and what they mean. */
  options?: readonly (readonly [flags: string, description: string])[]
  /** Command lines, without the program's name. */
  examples: readonly string[]
  run: (session: Session, args: readonly string[], flags: Flags) => Promise<void>
}

interface ServerFlags {
  url?: string
  token?: string
  json?: boolean
}

/** Registers a command that talks to a running server, through the SDK alone. */
export function addServerCommand<Flags extends object>(
  parent: Command,
  terminal: Terminal,
  { usage, description, options = [], examples, run }: ServerCommand<Flags>,
): void {
  const command = parent.command(usage).description(description)
  for (const [flags, meaning] of options) command.option(flags, meaning)
  const lines = examples.map((example) => `  millrace ${example}`).join('\n')
  command
    .option('--url <address>', 'of the server (MILLRACE_URL; login; http://127.0.0.1:4400)')
    .option('--token <token>', 'to speak with (MILLRACE_TOKEN; login)')
    .option('--json', 'for programs: JSON, one value a line')
    .addHelpText('after', `\nExamples:\n${lines}\n`)
    .action(async () => {
      const flags = command.opts<Flags & ServerFlags>()
      const { environment } = terminal
      const server = readClientConfig(environment, flags, await readLogin(environment))
      await run(openSession(terminal, server, flags), command.args, flags).catch((error) =>
        rethrowPlainly(error, server),
      )
    })
}

function openSession(
  terminal: Terminal,
  { url, token }: ClientConfig,
  flags: ServerFlags,
): Session {
  return {
    // As texts, large numbers can be printed as JSON again with all their digits.
    client: createClient({
      baseUrl: url,
      numbers: 'string',
      ...(token === undefined ? {} : { token }),
    }),
    terminal,
    isForPrograms: flags.json === true,
    show: (value, toLines) => {
      const lines = flags.json ? [JSON.stringify(value)] : toLines()
      for (const line of lines) printLine(terminal.stdout, line)
    },
  }
}

/** Errors of the SDK in words for people, and an exit code. */
function rethrowPlainly(error: unknown, server: ClientConfig): never {
  if (!isServerError(error)) throw error
  throw new CommandError(explainServerError(error, server), exitCodeOf(error), { cause: error })
}

/** What the server said of headers is for programs: here a token comes in other ways. */
function explainServerError(error: ServerError, { url, token }: ClientConfig): string {
  if (error instanceof NetworkError) {
    return `${error.message}\nNo server is to be reached at ${url}. Another address: --url, MILLRACE_URL or \`millrace login\``
  }
  if (!(error instanceof AuthError) || error.status !== 401) return error.message
  return token === undefined
    ? `${url} wants a token: set MILLRACE_TOKEN, or keep one with \`millrace login\``
    : `${url} does not know this token: it is mistyped, revoked or expired`
}

type ServerError = ApiError | NetworkError | TimeoutError

/** The server refused, or did not answer. */
export function isServerError(error: unknown): error is ServerError {
  return error instanceof ApiError || error instanceof NetworkError || error instanceof TimeoutError
}

export function exitCodeOf(error: ServerError): number {
  if (!(error instanceof ApiError) || error.status === 503) return EXIT_CODE.unavailable
  if (error instanceof AuthError) return EXIT_CODE.denied
  if (error instanceof NotFoundError) return EXIT_CODE.notFound
  return error instanceof ValidationError ? EXIT_CODE.usage : EXIT_CODE.failure
}
