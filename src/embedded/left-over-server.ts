import { execFile } from 'node:child_process'
import { readFile, readlink, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

import { EmbeddedPostgresError } from './embedded-postgres-error.ts'

const run = promisify(execFile)
const STEP_MS = 20
const FAST_STOP_MS_MAX = 5000

export interface LeftOverServer {
  readonly pid: number
  readonly port: number
}

/**
 * The server that still runs on a data directory, though the program that
 * started it may be gone. A `postmaster.pid` that belongs to no such server is
 * removed: process numbers are used again, soon so in containers, and Postgres
 * would refuse to start beside a stranger that has the number.
 */
export async function findLeftOverServer(
  dataDirectory: string,
): Promise<LeftOverServer | undefined> {
  const pidFile = join(dataDirectory, 'postmaster.pid')
  const text = await readFile(pidFile, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const lines = text.split('\n')
  const pid = Number(lines[0])
  if (isAlive(pid) && (await runsOn(pid, dataDirectory))) return { pid, port: Number(lines[3]) }
  await rm(pidFile, { force: true })
  return undefined
}

/** Ends the server: its clients are disconnected, what is committed is kept. */
export async function stopLeftOverServer({ pid }: LeftOverServer): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    if (!send(pid, signal)) return
    const deadline = Date.now() + FAST_STOP_MS_MAX
    while (Date.now() < deadline) {
      if (!isAlive(pid)) return
      await delay(STEP_MS)
    }
  }
  throw new EmbeddedPostgresError(
    `the Postgres that an earlier run left behind (process ${pid}) does not end`,
  )
}

/** Whether the process is a Postgres whose data is in the directory. */
async function runsOn(pid: number, dataDirectory: string): Promise<boolean> {
  try {
    // A server's working directory is its data directory.
    return (await readlink(`/proc/${pid}/cwd`)) === dataDirectory
  } catch {
    // No /proc, or not readable: another user's process.
  }
  try {
    const { stdout } = await run('ps', ['-o', 'command=', '-p', String(pid)])
    return stdout.includes('postgres') && stdout.includes(dataDirectory)
  } catch {
    return false
  }
}

function isAlive(pid: number): boolean {
  return send(pid, 0)
}

function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 1) return false
  try {
    process.kill(pid, signal)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    if ((error as NodeJS.ErrnoException).code === 'EPERM' && signal === 0) return true
    throw error
  }
}
