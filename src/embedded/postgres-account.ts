import { execFile, spawn } from 'node:child_process'
import { promisify } from 'node:util'

import { EmbeddedPostgresError } from './embedded-postgres-error.ts'

const run = promisify(execFile)

/** Whom the server runs as: undefined members mean whoever runs this program. */
export interface PostgresAccount {
  readonly uid?: number
  readonly gid?: number
}

/**
 * Postgres refuses to run as root: then it runs as the user `postgres`, who is
 * made where there is none. Anyone else runs it as themselves.
 */
export async function findPostgresAccount(): Promise<PostgresAccount> {
  if (process.getuid?.() !== 0) return {}
  const known = await lookUpUser('postgres')
  if (known) return known
  try {
    await createUser('postgres')
  } catch (error) {
    throw new EmbeddedPostgresError(
      'Postgres does not run as root, and the user "postgres" could not be made; run Millrace as another user',
      { cause: error },
    )
  }
  const made = await lookUpUser('postgres')
  if (!made) throw new EmbeddedPostgresError('the user "postgres" was made but cannot be looked up')
  return made
}

/** Runs a program as the account, to see whether the account can really do what it does. */
export function canRun(
  account: PostgresAccount,
  program: string,
  programArguments: readonly string[],
): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(program, programArguments, { ...account, cwd: '/', stdio: 'ignore' })
    child.once('error', () => resolve(false))
    child.once('exit', (code) => resolve(code === 0))
  })
}

/** Whether the account can make, and remove, a file in the directory. */
export function canWriteTo(account: PostgresAccount, directory: string): Promise<boolean> {
  const script = 'cd -- "$1" && f=".probe-$$" && : > "$f" && rm -- "$f"'
  return canRun(account, '/bin/sh', ['-c', script, 'sh', directory])
}

async function lookUpUser(name: string): Promise<PostgresAccount | undefined> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])])
    return { uid: Number.parseInt(uid.stdout, 10), gid: Number.parseInt(gid.stdout, 10) }
  } catch {
    return undefined
  }
}

async function createUser(name: string): Promise<void> {
  try {
    await run('useradd', ['--system', '--user-group', '--no-create-home', name])
  } catch {
    // BusyBox has another program for it.
    await run('adduser', ['-S', '-D', '-H', name])
  }
}
