import { connect, createServer, type Server, type Socket } from 'node:net'

/** Forwards connections to a local port, and does them harm when asked. */
export class Proxy implements AsyncDisposable {
  readonly #sockets = new Set<Socket>()
  readonly #server: Server
  #target: number
  #holds = false
  #delayMs = 0
  port = 0

  private constructor(target: number) {
    this.#target = target
    this.#server = createServer((client) => this.#join(client))
  }

  static async start(target: number): Promise<Proxy> {
    const proxy = new Proxy(target)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    const address = proxy.#server.address()
    proxy.port = typeof address === 'object' && address ? address.port : 0
    return proxy
  }

  /** `url` with the proxy in between. */
  through(url: string): string {
    const changed = new URL(url)
    changed.port = String(this.port)
    return changed.href
  }

  /** Where new connections go from now on. */
  pointTo(target: number): void {
    this.#target = target
  }

  /** From now on nothing comes through, new connections' bytes neither; nobody is told. */
  hold(): void {
    this.#holds = true
    for (const socket of this.#sockets) socket.pause()
  }

  /** What was held goes on its way. */
  release(): void {
    this.#holds = false
    for (const socket of this.#sockets) socket.resume()
  }

  /** Every piece of data, either way, comes so much later. */
  delay(ms: number): void {
    this.#delayMs = ms
  }

  /** Ends all connections; new ones are let through. */
  cut(): void {
    this.#holds = false
    for (const socket of this.#sockets) socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #join(client: Socket): void {
    const upstream = connect(this.#target, '127.0.0.1')
    this.#forward(client, upstream)
    this.#forward(upstream, client)
  }

  #forward(from: Socket, to: Socket): void {
    this.#sockets.add(from)
    from.on('error', () => {})
    from.on('close', () => {
      this.#sockets.delete(from)
      to.destroy()
    })
    from.on('data', (data) => {
      if (this.#delayMs === 0) {
        this.#pass(data, from, to)
        return
      }
      from.pause()
      setTimeout(() => {
        this.#pass(data, from, to)
        if (!this.#holds) from.resume()
      }, this.#delayMs)
    })
    if (this.#holds) from.pause()
  }

  #pass(data: Buffer, from: Socket, to: Socket): void {
    if (to.destroyed || to.write(data) || this.#holds) return
    from.pause()
    to.once('drain', () => {
      if (!this.#holds) from.resume()
    })
  }
}
