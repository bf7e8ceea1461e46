import { Client } from 'undici'

import { placeOrders } from './orders.ts'
import { serveTask } from './worker-process.ts'

/** What the clients are to do. They stop when `messages` per consumer are acked, or after `seconds`. */
export interface ClientTask {
  readonly url: string
  readonly token: string
  readonly consumers: readonly string[]
  readonly workers: number
  readonly batchSize: number
  /** Not counted: a server just started is not yet compiled. */
  readonly warmUpSeconds: number
  readonly seconds?: number
  readonly messages?: number
  /** Orders to place meanwhile; the time runs from the first. */
  readonly orders?: {
    readonly url: string
    readonly count: number
    readonly perTransaction: number
  }
  /** Leave the messages leased. */
  readonly keepLeased?: boolean
  /** With a call of their own, not on the way to the next receive. */
  readonly acksApart?: boolean
}

export interface ClientAnswer {
  /** Acked (or leased, where they are kept) in the measured time. */
  readonly messages: number
  readonly seconds: number
  /** Of the clients, warm-up included. */
  readonly cpuSeconds: number
  /** The backlog was empty before the time was over; the measurement ends there. */
  readonly ranDry: boolean
}

interface ReceiveAnswer {
  readonly data: readonly { readonly ack_id: string }[]
  readonly acks?: { readonly success: boolean }
}

/** Services that receive, parse, and ack, each worker with one call at a time on a kept connection. */
class Clients {
  readonly #task: ClientTask
  readonly #connections: Client[] = []
  readonly #headers: Record<string, string>
  readonly #over = Promise.withResolvers<void>()
  readonly #total: number
  #count = 0
  #isOver = false
  #ranDry = false
  #startedAt = 0
  #endedAt = 0

  constructor(task: ClientTask) {
    this.#task = task
    this.#total = (task.messages ?? Number.POSITIVE_INFINITY) * task.consumers.length
    this.#headers = { authorization: `Bearer ${task.token}`, 'content-type': 'application/json' }
  }

  async run(): Promise<ClientAnswer> {
    const { consumers, workers, seconds, warmUpSeconds } = this.#task
    this.#startedAt = performance.now()
    const timers = [
      setTimeout(() => this.#beginAnew(), warmUpSeconds * 1000),
      ...(seconds === undefined
        ? []
        : [setTimeout(() => this.#end(), (warmUpSeconds + seconds) * 1000)]),
    ]
    const running = consumers.flatMap((name) =>
      Array.from({ length: workers }, () => this.#work(name)),
    )
    if (this.#task.orders) await this.#placeOrders(this.#task.orders)
    await Promise.race([this.#over.promise, Promise.all(running)])
    for (const timer of timers) clearTimeout(timer)
    this.#end()
    // Those who wait for a message that will not come are not waited for.
    await Promise.all(this.#connections.map((connection) => connection.destroy()))
    await Promise.allSettled(running)
    const { user, system } = process.cpuUsage()
    return {
      messages: this.#count,
      cpuSeconds: (user + system) / 1_000_000,
      seconds: (this.#endedAt - this.#startedAt) / 1000,
      ranDry: this.#ranDry,
    }
  }

  async #placeOrders(orders: NonNullable<ClientTask['orders']>): Promise<void> {
    this.#startedAt = performance.now()
    await placeOrders(orders.url, { ...orders, durable: true })
  }

  #beginAnew(): void {
    if (this.#task.warmUpSeconds === 0) return
    this.#startedAt = performance.now()
    this.#count = 0
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#endedAt = performance.now()
    this.#over.resolve()
  }

  async #work(consumer: string): Promise<void> {
    const { acksApart, keepLeased, seconds, url } = this.#task
    const connection = new Client(url)
    this.#connections.push(connection)
    let ackIds: string[] = []
    while (!this.#isOver) {
      const { data, acks } = await this.#receive(connection, consumer, ackIds)
      if (acks?.success === false) throw new Error(`not all were acked: ${JSON.stringify(acks)}`)
      this.#note(ackIds.length)
      if (data.length === 0 && seconds !== undefined) {
        this.#ranDry = true
        this.#end()
        return
      }
      ackIds = data.map(({ ack_id }) => ack_id)
      if (!keepLeased && !acksApart) continue
      if (!keepLeased && ackIds.length > 0) await this.#ack(connection, consumer, ackIds)
      this.#note(ackIds.length)
      ackIds = []
    }
  }

  #note(count: number): void {
    if (!this.#isOver) this.#count += count
    if (this.#count >= this.#total) this.#end()
  }

  async #receive(connection: Client, consumer: string, ackIds: string[]): Promise<ReceiveAnswer> {
    const { batchSize, keepLeased, seconds } = this.#task
    const body = JSON.stringify({
      ...(ackIds.length > 0 ? { ack_ids: ackIds } : {}),
      batch_size: batchSize,
      // In a timed run there is a backlog; else messages are on their way. What came of the acks
      // is to be known at once.
      wait_for: seconds === undefined && ackIds.length === 0 ? 5000 : 0,
      ...(keepLeased ? { visibility_timeout_ms: 3_600_000 } : {}),
    })
    const answer = await this.#post(connection, `/v1/consumers/${consumer}/receive`, body)
    return answer as ReceiveAnswer
  }

  async #ack(connection: Client, consumer: string, ackIds: string[]): Promise<void> {
    const body = JSON.stringify({ ack_ids: ackIds })
    const answer = (await this.#post(connection, `/v1/consumers/${consumer}/ack`, body)) as {
      success: boolean
    }
    if (!answer.success) throw new Error(`not all were acked: ${JSON.stringify(answer)}`)
  }

  async #post(connection: Client, path: string, body: string): Promise<unknown> {
    const headers = this.#headers
    const answer = await connection.request({ method: 'POST', path, headers, body })
    const text = await answer.body.text()
    if (answer.statusCode !== 200) throw new Error(`${path}: ${answer.statusCode} ${text}`)
    return JSON.parse(text)
  }
}

serveTask((task: ClientTask) => new Clients(task).run())
