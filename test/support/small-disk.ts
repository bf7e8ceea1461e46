import { execFile } from 'node:child_process'
import { chmod, mkdtemp, open, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { RestartablePostgres } from './restartable-postgres.ts'

const run = promisify(execFile)

/** A disk of 200 MB; undefined: this user may not mount one. */
export async function mountSmallDisk(): Promise<string | undefined> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-disk-'))
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=200m,mode=755', 'tmpfs', directory])
    return directory
  } catch {
    await rm(directory, { recursive: true })
    return undefined
  }
}

export async function unmountDisk(disk: string): Promise<void> {
  await run('umount', [disk])
  await rm(disk, { recursive: true })
}

/** Takes what is left of the disk; removing the file gives it back. */
export async function fillUp(path: string): Promise<void> {
  const file = await open(path, 'w')
  try {
    for (const bytes of [1_000_000, 4_096]) {
      for (;;) {
        const error: unknown = await file.write(Buffer.alloc(bytes)).then(
          () => undefined,
          (reason: unknown) => reason,
        )
        if (error) break
      }
    }
  } finally {
    await file.close()
  }
}

/** Gives the server's WAL a disk with room; answers where, for whoever removes it. */
export async function moveWal(postgres: RestartablePostgres): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-wal-'))
  // As root the server runs as another user, who must get to it.
  await chmod(directory, 0o755)
  const [from, to] = [join(postgres.dataDirectory, 'pg_wal'), join(directory, 'pg_wal')]
  await postgres.down()
  await run('mv', [from, to])
  await symlink(to, from)
  await postgres.up()
  return directory
}
