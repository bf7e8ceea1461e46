import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'

import pg from 'pg'

/** Which of the free server connections a transaction gets; `session`: one for the whole session. */
export type Pooling = 'last used' | 'in turn' | 'session'

const SSL_REQUEST = 80_877_103
const HEADER_BYTES = 5

export interface PoolerOptions {
  pooling: Pooling
  /** Server connections. */
  size?: number
  /** Startup parameters that are refused, as PgBouncer refuses what it does not know. */
  refuses?: readonly string[]
}

/**
 * Speaks as much of Postgres' protocol as it takes to share a few connections to a server among
 * clients, from one transaction to the next, as PgBouncer does. It lets everybody in.
 */
export class Pooler implements AsyncDisposable {
  readonly #options: PoolerOptions
  readonly #server: Server
  readonly #backends: pg.Client[] = []
  readonly #clients = new Set<Socket>()
  readonly #free: Socket[] = []
  readonly #waiting: ((backend: Socket) => void)[] = []
  port = 0

  private constructor(options: PoolerOptions) {
    this.#options = options
    this.#server = createServer((client) => this.#greet(client))
  }

  /** In front of the database that `url` names, with its user. */
  static async start(url: string, options: PoolerOptions): Promise<Pooler> {
    const pooler = new Pooler(options)
    for (let count = 0; count < (options.size ?? 3); count++) await pooler.#connect(url)
    await new Promise<void>((resolve) => pooler.#server.listen(0, '127.0.0.1', resolve))
    pooler.port = (pooler.#server.address() as AddressInfo).port
    return pooler
  }

  /** `url` with the pooler in between. */
  through(url: string): string {
    const changed = new URL(url)
    changed.port = String(this.port)
    return changed.href
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
    for (const backend of this.#backends) socketOf(backend).destroy()
  }

  /** pg logs in; from then on the socket is ours. */
  async #connect(url: string): Promise<void> {
    const backend = new pg.Client(url)
    backend.on('error', () => {})
    await backend.connect()
    const socket = socketOf(backend)
    socket.removeAllListeners('data')
    this.#backends.push(backend)
    this.#free.push(socket)
  }

  #greet(client: Socket): void {
    this.#clients.add(client)
    client.on('error', () => {})
    client.on('close', () => this.#clients.delete(client))
    const onStartup = (packet: Buffer): void => {
      if (packet.readInt32BE(4) === SSL_REQUEST) {
        client.write('N')
        return
      }
      client.off('data', onStartup)
      const parameters = packet.toString('utf8', 8).split('\0')
      const refused = this.#options.refuses?.find((name) => parameters.includes(name))
      if (refused === undefined) this.#serve(client)
      else client.end(formatError(`unsupported startup parameter: ${refused}`))
    }
    client.on('data', onStartup)
  }

  #serve(client: Socket): void {
    const authenticated = message('R', int32(0))
    const version = message('S', Buffer.from('server_version\x0018.0\0'))
    const cancelKey = message(
      'K',
      Buffer.concat([int32(Math.trunc(Math.random() * 2 ** 30)), int32(1)]),
    )
    client.write(Buffer.concat([authenticated, version, cancelKey, message('Z', Buffer.from('I'))]))
    let backend: Socket | undefined
    let release = (): void => {}
    const ask = async (data: Buffer): Promise<void> => {
      if (!backend) {
        backend = await this.#take()
        release = this.#answer(backend, client, () => {
          backend = undefined
        })
      }
      backend.write(data)
    }
    let asking = Promise.resolve()
    client.on('data', (data) => {
      // The end of a client is not the end of the server connection.
      if (data.toString('latin1', 0, 1) !== 'X') asking = asking.then(() => ask(data))
    })
    client.on('close', () => release())
  }

  /** Hands the answers on, and lets go of the connection when no transaction is open any more. */
  #answer(backend: Socket, client: Socket, onFree: () => void): () => void {
    let rest: Buffer = Buffer.alloc(0)
    const release = (): void => {
      if (!backend.listeners('data').includes(onData)) return
      backend.off('data', onData)
      onFree()
      this.#give(backend)
    }
    const onData = (data: Buffer): void => {
      const whole = takeWhole(Buffer.concat([rest, data]))
      rest = whole.rest
      const isIdle =
        whole.last?.toString('latin1', 0, 1) === 'Z' && whole.last[HEADER_BYTES] === 0x49
      if (isIdle && this.#options.pooling !== 'session') release()
      client.write(data)
    }
    backend.on('data', onData)
    return release
  }

  #take(): Promise<Socket> {
    const backend = this.#options.pooling === 'in turn' ? this.#free.shift() : this.#free.pop()
    if (backend) return Promise.resolve(backend)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #give(backend: Socket): void {
    const next = this.#waiting.shift()
    if (next) next(backend)
    else this.#free.push(backend)
  }
}

function socketOf(client: pg.Client): Socket {
  return (client.connection as unknown as { stream: Socket }).stream
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function message(type: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body])
}

function formatError(text: string): Buffer {
  return message('E', Buffer.from(`SFATAL\0VFATAL\0C08P01\0M${text}\0\0`))
}

/** The last whole message, and what has come of the next one. */
function takeWhole(bytes: Buffer): { last: Buffer | undefined; rest: Buffer } {
  let at = 0
  let last: Buffer | undefined
  while (bytes.length - at >= HEADER_BYTES) {
    const end = at + 1 + bytes.readInt32BE(at + 1)
    if (end > bytes.length) break
    last = bytes.subarray(at, end)
    at = end
  }
  return { last, rest: bytes.subarray(at) }
}
