import { randomBytes } from 'node:crypto'

import { runMillrace, type MillraceProcess } from '../../support/run-millrace.ts'

export const TOKEN = `e2e-${randomBytes(12).toString('hex')}`
const SECRET_KEY = randomBytes(32).toString('base64')

/** A `millrace serve` in a process of its own. */
export interface ServerProcess {
  readonly url: string
  readonly pid: number
  readText(): string
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
}

const running = new Set<MillraceProcess>()

export async function startServer(storageUrl: string): Promise<ServerProcess> {
  const started = runMillrace(['serve'], {
    environment: {
      MILLRACE_STORAGE_URL: storageUrl,
      MILLRACE_SECRET_KEY: SECRET_KEY,
      MILLRACE_ADMIN_TOKEN: TOKEN,
      MILLRACE_PORT: '0',
    },
  })
  running.add(started)
  const [, url = ''] = await started.waitForLine(/"address":"(http[^"]+)"/)
  return {
    url,
    pid: started.child.pid!,
    readText: () => started.readText(),
    kill: () => end(started),
  }
}

/** For the end of a test, however it ended. */
export async function killServers(): Promise<void> {
  await Promise.all([...running].map(end))
}

async function end(server: MillraceProcess): Promise<void> {
  server.child.kill('SIGKILL')
  await server.ended
  running.delete(server)
}

/** Sends one request with the admin token; throws where there is no whole answer. */
export async function send<T>(
  url: string,
  request: { method?: string; body?: object; signal?: AbortSignal } = {},
): Promise<{ status: number; body: T }> {
  const answer = await fetch(url, {
    method: request.method ?? 'POST',
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  })
  return { status: answer.status, body: (await answer.json()) as T }
}

/** The source `shop` with its table `orders`, and consumers of all of its changes. */
export async function connectShop(
  serverUrl: string,
  shopUrl: string,
  consumers: readonly string[],
  settings: { slot: string; visibility_timeout_ms: number; max_in_flight?: number },
): Promise<void> {
  const { slot, ...rest } = settings
  await put(`${serverUrl}/v1/sources/shop`, {
    url: shopUrl,
    slot,
    publication: slot,
    tables: ['public.orders'],
  })
  for (const name of consumers) {
    await put(`${serverUrl}/v1/consumers/${name}`, {
      source: 'shop',
      tables: ['public.orders'],
      start_from: 'earliest',
      ...rest,
    })
  }
}

async function put(url: string, body: object): Promise<void> {
  const answer = await send(url, { method: 'PUT', body })
  if (answer.status >= 300) throw new Error(`${url}: ${JSON.stringify(answer)}`)
}

export interface OrderMessage {
  ack_id: string
  record: { id: number; version: number }
  delivery: { attempt: number; lease_expires_at: string }
}

export interface Settled {
  ack_id: string
  status: string
  lease_expires_at?: string
}
