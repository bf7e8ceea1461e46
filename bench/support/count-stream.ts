import { spawn } from 'node:child_process'

import pg from 'pg'

import { ReplicationStream } from '../../src/capture/replication-stream.ts'
import { PUBLICATION } from './orders.ts'

const PROGRAM = 'pg_recvlogical'

/** Reads a slot up to an LSN and does nothing with it: the most that any reader could do. */
export interface StreamCounter {
  readonly name: string
  /** Answers the seconds it took. */
  read(url: string, slot: string, endLsn: string): Promise<number>
}

/** Postgres' own program where it is installed, else a bare reader in this process. */
export async function findStreamCounter(): Promise<StreamCounter> {
  const output = await runProgram(['--version']).catch(() => undefined)
  const version = output && /\d[\d.]*/.exec(output)?.[0]
  return version === undefined
    ? { name: 'a bare reader (no pg_recvlogical here)', read: readBare }
    : { name: `${PROGRAM} ${version}`, read: readByProgram }
}

async function readByProgram(url: string, slot: string, endLsn: string): Promise<number> {
  const startedAt = performance.now()
  const reads = ['--start', '--no-loop', '--slot', slot, '--endpos', endLsn, '--file', '/dev/null']
  const output = ['--option', 'proto_version=1', '--option', `publication_names=${PUBLICATION}`]
  await runProgram([...reads, ...output, '--dbname', url])
  return (performance.now() - startedAt) / 1000
}

function runProgram(args: string[]): Promise<string> {
  const child = spawn(PROGRAM, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) =>
      code === 0 ? resolve(output) : reject(new Error(`${PROGRAM} failed: ${output}`)),
    )
  })
}

async function readBare(url: string, slot: string, endLsn: string): Promise<number> {
  const end = parseLsn(endLsn)
  const { promise, resolve } = Promise.withResolvers<void>()
  const stream = new ReplicationStream(
    pgConfig(url),
    { slot, publication: PUBLICATION, encoding: 'UTF8' },
    {
      verify: () => Promise.resolve(),
      onSkipped: () => {},
      // 'C', flags, the commit's LSN, and the end of the transaction.
      onMessage: (message) => {
        if (message[0] === 0x43 && message.readBigUInt64BE(10) >= end) resolve()
      },
      onKeepalive: (walEnd) => {
        if (walEnd >= end) resolve()
      },
    },
  )
  const startedAt = performance.now()
  await stream.start(0n)
  await Promise.race([promise, stream.failed])
  const seconds = (performance.now() - startedAt) / 1000
  await stream.stop()
  return seconds
}

function pgConfig(url: string): pg.ClientConfig {
  const { hostname, port, username, password, pathname } = new URL(url)
  return {
    host: hostname,
    port: Number(port),
    user: username,
    password: decodeURIComponent(password),
    database: pathname.slice(1),
  }
}

function parseLsn(text: string): bigint {
  const [high, low] = text.split('/') as [string, string]
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`)
}
