import { setTimeout as sleep } from 'node:timers/promises'

import { HUNG_UP, type Delivered, type History, type Request } from './history.ts'
import type { Random } from '../../support/random.ts'
import { send, type OrderMessage, type Settled } from './serve.ts'

const CONSUMER = 'inventory'

interface Answer {
  data?: OrderMessage[]
  meta?: { limited_by: string | null }
  results?: Settled[]
}

/** What the clients of a history share. */
export interface HistoryWorld {
  readonly history: History
  /** Calls under way, by the server's URL. */
  readonly open: Map<string, number>
  /** The servers that are thought to run. */
  readonly listServers: () => readonly string[]
  /** No accidents any more, and no mischief: everything is to be acked. */
  readonly isHealing: () => boolean
  readonly signal: AbortSignal
}

/** A client that is slow, hangs up, nacks, extends and forgets; and writes down what it saw. */
export class HistoryClient {
  readonly #no: number
  readonly #world: HistoryWorld
  readonly #random: Random
  /** Acks of which nobody knows whether they were taken. */
  #uncertain: string[] = []

  constructor(no: number, world: HistoryWorld, random: Random) {
    this.#no = no
    this.#world = world
    this.#random = random
  }

  get isCertain(): boolean {
    return this.#uncertain.length === 0
  }

  async run(): Promise<void> {
    while (!this.#world.signal.aborted) {
      const random = this.#random
      if (this.#uncertain.length > 0 && (this.#world.isHealing() || random.chance(0.3))) {
        await this.#ack(this.#uncertain.splice(0))
      }
      const delivered = await this.#receive()
      if (delivered.length > 0) await this.#work(delivered)
    }
  }

  async #receive(): Promise<readonly Delivered[]> {
    const random = this.#random
    const body = {
      batch_size: random.between(1, 20),
      wait_for: this.#world.isHealing() ? 500 : random.between(0, 1500),
      visibility_timeout_ms: this.#world.isHealing() ? 5000 : random.between(1000, 2000),
    }
    const hangUpMs = random.chance(0.15) ? random.between(0, 400) : undefined
    const answer = await this.#call({ f: 'receive' }, body, hangUpMs)
    return (answer?.data ?? []).map(toDelivered)
  }

  async #work(delivered: readonly Delivered[]): Promise<void> {
    const random = this.#random
    const ids = delivered.map(({ ackId }) => ackId)
    if (this.#world.isHealing()) return this.#ack(ids)
    if (random.chance(0.15)) await this.#extend(ids)
    // Now and then beyond the end of the lease: it comes again, and the ack comes late.
    await sleep(random.chance(0.08) ? random.between(1000, 2500) : random.between(0, 120))
    const kinds = ids.map(() => random.next())
    const acks = ids.filter((_, index) => kinds[index]! < 0.85)
    const nacks = ids.filter((_, index) => kinds[index]! >= 0.85 && kinds[index]! < 0.95)
    if (nacks.length > 0) {
      await this.#call(
        { f: 'nack', ackIds: nacks },
        { ack_ids: nacks, delay: random.between(0, 300) },
      )
    }
    if (acks.length > 0) await this.#ack(acks)
    if (acks.length > 0 && random.chance(0.1)) await this.#ack(acks)
  }

  async #ack(ackIds: readonly string[]): Promise<void> {
    const isRude = !this.#world.isHealing() && this.#random.chance(0.1)
    const hangUpMs = isRude ? this.#random.between(0, 10) : undefined
    const answer = await this.#call({ f: 'ack', ackIds }, { ack_ids: ackIds }, hangUpMs)
    if (!answer) this.#uncertain = [...new Set([...this.#uncertain, ...ackIds])].slice(0, 1000)
  }

  async #extend(ackIds: readonly string[]): Promise<void> {
    await this.#call({ f: 'extend', ackIds }, { ack_ids: ackIds, visibility_timeout_ms: 2000 })
  }

  async #call(request: Request, body: object, hangUpMs?: number): Promise<Answer | undefined> {
    const { history, listServers, open } = this.#world
    const servers = listServers()
    if (servers.length === 0) {
      await sleep(20)
      return undefined
    }
    const server = this.#random.pick(servers)
    const op = history.invoke(this.#no, request)
    open.set(server, (open.get(server) ?? 0) + 1)
    const hangUp = new AbortController()
    const timer = hangUpMs === undefined ? undefined : setTimeout(() => hangUp.abort(), hangUpMs)
    try {
      const answer = await send<Answer>(`${server}/v1/consumers/${CONSUMER}/${request.f}`, {
        body,
        signal: hangUp.signal,
      })
      if (answer.status !== 200 && answer.status !== 207) {
        history.broken(op, 'info', `${answer.status} ${JSON.stringify(answer.body)}`)
        await sleep(50)
        return undefined
      }
      const { data, meta } = answer.body
      if (data) {
        const limitedBy = meta?.limited_by ?? null
        history.answered(op, { delivered: data.map(toDelivered), limitedBy })
      } else history.answered(op, { outcomes: (answer.body.results ?? []).map(toOutcome) })
      return answer.body
    } catch (error) {
      const { cause } = error as { cause?: { code?: string } }
      const isRefused = cause?.code === 'ECONNREFUSED'
      const reason = hangUp.signal.aborted ? HUNG_UP : (cause?.code ?? String(error))
      history.broken(op, isRefused ? 'fail' : 'info', reason)
      await sleep(20)
      return undefined
    } finally {
      clearTimeout(timer)
      open.set(server, open.get(server)! - 1)
    }
  }
}

function toDelivered({ ack_id, record, delivery }: OrderMessage): Delivered {
  const { id, version } = record
  return { ackId: ack_id, id, version, expiresAt: Date.parse(delivery.lease_expires_at) }
}

function toOutcome({ ack_id, status, lease_expires_at }: Settled) {
  return {
    ackId: ack_id,
    status,
    ...(lease_expires_at === undefined ? {} : { expiresAt: Date.parse(lease_expires_at) }),
  }
}
