import { spawn } from 'node:child_process'
import { chown, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { EmbeddedPostgresError } from './embedded-postgres-error.ts'
import type { PostgresAccount } from './postgres-account.ts'
import type { PostgresPlace } from './postgres-place.ts'

/** The superuser of every cluster we make. */
export const SUPERUSER = 'postgres'

/**
 * Makes the cluster's files unless they are there. They are made beside and
 * renamed, so that a first attempt that was cut off is never taken for a cluster.
 * @throws what `signal` was aborted with
 */
export async function createCluster(
  { binDirectory, dataDirectory }: PostgresPlace,
  account: PostgresAccount,
  password: string,
  signal?: AbortSignal,
): Promise<void> {
  const found = await readdir(dataDirectory)
  if (found.includes('PG_VERSION')) return
  if (found.length > 0) {
    throw new EmbeddedPostgresError(
      `${dataDirectory} holds something that is not a Postgres; name another directory`,
    )
  }
  const partial = `${dataDirectory}.partial`
  await rm(partial, { recursive: true, force: true })
  await mkdir(partial, { mode: 0o700 })
  await give(partial, account)
  // A directory of its own: the account must read the file, and nobody else may.
  const directory = await mkdtemp(join(tmpdir(), 'millrace-initdb-'))
  const passwordFile = join(directory, 'password')
  try {
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
    await give(directory, account)
    await give(passwordFile, account)
    await runInitdb(join(binDirectory, 'initdb'), partial, account, passwordFile, signal)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
  await rename(partial, dataDirectory)
}

async function give(path: string, { uid, gid }: PostgresAccount): Promise<void> {
  if (uid !== undefined && gid !== undefined) await chown(path, uid, gid)
}

async function runInitdb(
  program: string,
  dataDirectory: string,
  account: PostgresAccount,
  passwordFile: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted()
  const child = spawn(
    program,
    [
      `--pgdata=${dataDirectory}`,
      `--username=${SUPERUSER}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      // A machine that loses power in these two seconds begins anew.
      '--no-sync',
    ],
    // A group of its own: Ctrl-C of the terminal reaches us alone, and we end all of it.
    { ...account, cwd: '/', detached: true, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-4096)
  })
  // What it has made so far is of no use to anybody.
  const kill = (): void => {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  }
  signal?.addEventListener('abort', kill)
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  }).finally(() => signal?.removeEventListener('abort', kill))
  signal?.throwIfAborted()
  if (code !== 0) {
    throw new EmbeddedPostgresError(`initdb failed in ${dataDirectory}: ${complaint.trim()}`)
  }
}
