import { spawn } from 'node:child_process'
import { chown, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { PostgresAccount } from './postgres-account.ts'
import type { PostgresPlace } from './postgres-place.ts'

/** The superuser of every cluster we make. */
export const SUPERUSER = 'postgres'

/**
 * Makes the cluster's files unless they are there. They are made beside and
 * renamed, so that a first attempt that was cut off is never taken for a cluster.
 */
export async function createCluster(
  { binDirectory, dataDirectory }: PostgresPlace,
  account: PostgresAccount,
  password: string,
): Promise<void> {
  const found = await readdir(dataDirectory)
  if (found.includes('PG_VERSION')) return
  if (found.length > 0) {
    throw new Error(
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
    await runInitdb(join(binDirectory, 'initdb'), partial, account, passwordFile)
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
): Promise<void> {
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
    { ...account, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-4096)
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== 0) throw new Error(`initdb failed in ${dataDirectory}: ${complaint.trim()}`)
}
