import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { chmod, chown, cp, lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'

import { EmbeddedPostgresError } from './embedded-postgres-error.ts'
import { canRun, canWriteTo, type PostgresAccount } from './postgres-account.ts'
import type { PostgresBinaries } from './postgres-binaries.ts'

const run = promisify(execFile)

/** Where a server's programs and data are, both within reach of its account. */
export interface PostgresPlace {
  readonly binDirectory: string
  readonly dataDirectory: string
}

interface FindPlaceOptions {
  /** Where the data should be. */
  directory: string
  /**
   * What only the owner of `directory` knows. Data that had to go elsewhere is
   * begun anew when it was left behind by another owner of the same path.
   */
  owner: string
}

/**
 * A clone below /root is closed to the user `postgres`: neither the programs in
 * node_modules nor data beside them are within its reach. So both are tried as
 * that user, and what fails lives in a directory outside, found again by path.
 */
export async function findPostgresPlace(
  account: PostgresAccount,
  binaries: PostgresBinaries,
  options: FindPlaceOptions,
): Promise<PostgresPlace> {
  return {
    binDirectory: join(await placeBinaries(account, binaries), 'bin'),
    dataDirectory: await placeData(account, options),
  }
}

async function placeBinaries(
  account: PostgresAccount,
  { directory, label }: PostgresBinaries,
): Promise<string> {
  const works = (place: string): Promise<boolean> =>
    canRun(account, join(place, 'bin', 'postgres'), ['--version'])
  if (await works(directory)) return directory
  if (account.uid === undefined) {
    throw new EmbeddedPostgresError(
      `the embedded Postgres does not run here (tried: ${join(directory, 'bin', 'postgres')} --version); ` +
        'use `millrace serve` with a Postgres of your own',
    )
  }
  const copy = join(await openSharedDirectory(account), label)
  if (await works(copy)) return copy
  // Copied beside and renamed: a copy that was cut off is never taken for a whole one.
  const partial = `${copy}.${randomBytes(4).toString('hex')}`
  await cp(directory, partial, { recursive: true, verbatimSymlinks: true })
  // Under a strict umask npm's files are root's alone.
  await run('chmod', ['-R', 'a+rX', partial])
  await rm(copy, { recursive: true, force: true })
  await rename(partial, copy)
  if (await works(copy)) return copy
  throw new EmbeddedPostgresError(
    `the embedded Postgres was copied to ${copy} and does not run there either`,
  )
}

async function placeData(account: PostgresAccount, options: FindPlaceOptions): Promise<string> {
  const directory = resolve(options.directory)
  await mkdir(dirname(directory), { recursive: true })
  await mkdir(directory, { recursive: true, mode: 0o700 })
  if (account.uid === undefined || account.gid === undefined) return directory
  await chown(directory, account.uid, account.gid)
  if (await canWriteTo(account, directory)) return directory

  const key = createHash('sha256').update(directory).digest('hex').slice(0, 16)
  const outside = join(await openSharedDirectory(account), key)
  await forgetOtherOwner(outside, options.owner)
  const data = join(outside, 'data')
  await mkdir(data, { recursive: true, mode: 0o700 })
  await chown(data, account.uid, account.gid)
  return data
}

/** The directory is kept for its owner, who is known by a digest; another's is removed. */
async function forgetOtherOwner(directory: string, owner: string): Promise<void> {
  const ownerPath = join(directory, 'owner')
  const digest = createHash('sha256').update(owner).digest('hex')
  const found = await readFile(ownerPath, 'utf8').catch(() => undefined)
  if (found === digest) return
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })
  await chmod(directory, 0o755)
  await writeFile(ownerPath, digest, { mode: 0o600 })
}

/** A directory of root's that the account can enter and nobody else can write to. */
async function openSharedDirectory(account: PostgresAccount): Promise<string> {
  const candidates = ['/var/lib/millrace', join(tmpdir(), 'millrace-postgres')]
  for (const candidate of candidates) {
    try {
      await mkdir(candidate, { recursive: true })
      const status = await lstat(candidate)
      // In the temporary directory somebody else may have been first.
      if (!status.isDirectory() || status.uid !== process.getuid?.()) continue
      await chmod(candidate, 0o755)
      if (await canRun(account, '/bin/sh', ['-c', 'cd -- "$1"', 'sh', candidate])) return candidate
    } catch {
      // Read-only or not ours: the next one.
    }
  }
  throw new EmbeddedPostgresError(
    `the user "postgres" can reach none of ${candidates.join(', ')}; run Millrace as another user than root`,
  )
}
