import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'

import { EmbeddedPostgresError } from './embedded-postgres-error.ts'
import type { PostgresAccount } from './postgres-account.ts'
import type { PostgresPlace } from './postgres-place.ts'

export const HOST = '127.0.0.1'
const START_MS_MAX = 60_000
const STOP_MS_MAX = 5000
const LOG_LENGTH_MAX = 4096
/** A standby says 'to accept read-only connections'. */
const READY = 'database system is ready to accept'

interface PostgresProcessOptions {
  settings?: Readonly<Record<string, string>>
  stopMsMax?: number
  signal?: AbortSignal
  onCrash?: (log: string) => void
}

export interface PostgresProcess {
  readonly pid: number
  readonly port: number
  stop(): Promise<void>
}

/**
 * Starts the server's programs on a port of the loopback address and waits until it takes clients.
 * @throws EmbeddedPostgresError with the end of the server's log where it does not start;
 *   what `signal` was aborted with
 */
export async function startPostgresProcess(
  place: PostgresPlace,
  account: PostgresAccount,
  options: PostgresProcessOptions,
  port: number,
): Promise<PostgresProcess> {
  options.signal?.throwIfAborted()
  const child = spawn(
    join(place.binDirectory, 'postgres'),
    ['-D', place.dataDirectory, '-p', String(port), ...formatSettings(options.settings)],
    // A session of its own: Ctrl-C reaches us, and we end the server when its clients are done.
    { ...account, cwd: '/', detached: true, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let log = ''
  let stopping = false
  const exited = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      log += error.message
      resolve()
    })
    child.once('close', () => resolve())
  })
  const ready = new Promise<void>((resolve) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-LOG_LENGTH_MAX)
      if (log.includes(READY)) resolve()
    })
  })
  const stop = (): Promise<void> => {
    stopping = true
    return stopServer(child, exited, options.stopMsMax ?? STOP_MS_MAX)
  }
  await waitUntilReady({ ready, exited, stop, readLog: () => log }, options.signal)
  void exited.then(() => {
    if (!stopping) options.onCrash?.(log.trim())
  })
  return { pid: child.pid ?? 0, port, stop }
}

interface Starting {
  readonly ready: Promise<void>
  readonly exited: Promise<void>
  readonly stop: () => Promise<void>
  readonly readLog: () => string
}

async function waitUntilReady(
  { ready, exited, stop, readLog }: Starting,
  signal: AbortSignal | undefined,
): Promise<void> {
  const giveUp = new AbortController()
  const timer = setTimeout(() => giveUp.abort(), START_MS_MAX)
  const cut = AbortSignal.any(signal ? [signal, giveUp.signal] : [giveUp.signal])
  const outcome = await Promise.race([
    ready.then(() => 'ready' as const),
    exited.then(() => 'exited' as const),
    new Promise<'cut'>((resolve) => {
      cut.addEventListener('abort', () => resolve('cut'), { once: true })
    }),
  ])
  clearTimeout(timer)
  if (outcome === 'ready') return
  if (outcome === 'cut') await stop()
  signal?.throwIfAborted()
  const what = outcome === 'cut' ? `is not ready after ${START_MS_MAX / 1000} s` : 'did not start'
  throw new EmbeddedPostgresError(`Postgres ${what}: ${readLog().trim()}`)
}

/** A fast shutdown; then an immediate one; then an end. */
async function stopServer(
  child: ChildProcess,
  exited: Promise<void>,
  stopMsMax: number,
): Promise<void> {
  const timers = [
    setTimeout(() => child.kill('SIGQUIT'), stopMsMax),
    setTimeout(() => child.kill('SIGKILL'), stopMsMax * 2),
  ]
  child.kill('SIGINT')
  await exited
  for (const timer of timers) clearTimeout(timer)
}

function formatSettings(settings: Readonly<Record<string, string>> = {}): string[] {
  const all = {
    wal_level: 'logical',
    max_wal_senders: '40',
    max_replication_slots: '40',
    max_connections: '200',
    listen_addresses: HOST,
    // No socket files: the directory may not be there, and another server's may.
    unix_socket_directories: '',
    lc_messages: 'C',
    ...settings,
  }
  return Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}
