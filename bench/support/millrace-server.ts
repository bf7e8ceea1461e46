import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

import type { BenchStorage } from './storage.ts'

const ENTRY = new URL('../../bin/millrace.js', import.meta.url).pathname
/** What the first line of the entry says where it is started as a command. */
const FLAGS = ['--max-semi-space-size=16']
const START_MS_MAX = 30_000

export const TOKEN = 'bench-token-bench-token'

/** `millrace serve` in a process of its own, so that its CPU and memory are its own. */
export interface MillraceServer {
  readonly url: string
  readonly pid: number
  createConsumers(names: readonly string[], settings?: object): Promise<void>
  stop(): Promise<void>
}

export async function startMillrace(
  storage: BenchStorage,
  options: { roles?: 'reader,api' | 'api'; profile?: string | undefined } = {},
): Promise<MillraceServer> {
  const { profile } = options
  const child = spawn(
    process.execPath,
    [...FLAGS, ...(profile ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : []), ENTRY, 'serve'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        MILLRACE_STORAGE_URL: storage.url,
        MILLRACE_SECRET_KEY: storage.secretKey.toString('base64'),
        MILLRACE_ADMIN_TOKEN: TOKEN,
        MILLRACE_PORT: '0',
        MILLRACE_ROLES: options.roles ?? 'reader,api',
      },
    },
  )
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const url = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error('the server did not start'))
    }, START_MS_MAX)
    createInterface(child.stdout).on('line', (line) => {
      const address = /"address":"(http[^"]+)"/.exec(line)?.[1]
      if (address) {
        clearTimeout(timer)
        resolve(address)
      } else if (!/"level":"(debug|info)"/.test(line)) console.error(line)
    })
    void exited.then(() => reject(new Error('the server ended while it started')))
  })
  return {
    url,
    pid: child.pid!,
    async createConsumers(names, settings = {}) {
      for (const name of names) await createConsumer(url, name, settings)
    },
    async stop() {
      child.kill('SIGTERM')
      await exited
    },
  }
}

async function createConsumer(url: string, name: string, settings: object): Promise<void> {
  const answer = await fetch(`${url}/v1/consumers/${name}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      source: 'shop',
      tables: ['public.orders'],
      start_from: 'earliest',
      ...settings,
    }),
  })
  if (!answer.ok) throw new Error(`consumer ${name}: ${answer.status} ${await answer.text()}`)
  await answer.body?.cancel()
}
