import type { LeasedMessage, SettlementResult } from '../../../src/queue/queue-service.ts'

/** One delivery of one message: what a client holds. */
export interface Delivery {
  seq: number
  replay: number
  ackId: string
  attempt: number
  lease: object
}

/** What the model knows of a message (a replayed one is a message of its own). */
interface Modelled {
  attempts: number
  deliveries: Delivery[]
  /** Settled for good, or void because of a seek. */
  fate: 'open' | 'acked' | 'dead' | 'discarded'
  /** The ack id that a client gave up itself, by a nack or a return. */
  givenUp: Set<string>
}

/**
 * What must be true of a queue, whatever is done to it: told of every answer, it
 * throws at the first that breaks a rule. It predicts no schedule, only judges.
 */
export class QueueModel {
  readonly #messages = new Map<string, Modelled>()
  /** Groups of each seq: its row, and the row it was before. */
  readonly #groups = new Map<number, number[]>()
  /** Everything up to here may be settled without a trace: a seek or purge came by. */
  #epoch = 0
  readonly #epochOf = new Map<string, number>()
  head = 0
  readonly log: string[] = []
  readonly deliveries: Delivery[] = []

  append(changes: readonly { id: number; oldId?: number }[]): void {
    for (const { id, oldId } of changes) {
      this.head += 1
      this.#groups.set(this.head, oldId === undefined || oldId === id ? [id] : [id, oldId])
    }
  }

  /** Messages were delivered, all in one lease. */
  receive(messages: readonly LeasedMessage[]): void {
    const lease = {}
    const taken: { seq: number; replay: number }[] = []
    for (const received of messages) {
      const { seq, ackId, attempt } = received
      const { delivery } = JSON.parse(received.toJson()) as { delivery: { replay?: number } }
      const replay = delivery.replay ?? 0
      const message = this.#get(seq, replay)
      check(message.fate === 'open', `seq ${seq} was delivered although it is ${message.fate}`)
      check(
        attempt === message.attempts + 1,
        `seq ${seq} was delivered as attempt ${attempt} after ${message.attempts}`,
      )
      this.#checkOrder(seq, replay, lease)
      message.attempts = attempt
      const made = { seq, replay, ackId, attempt, lease }
      message.deliveries.push(made)
      this.deliveries.push(made)
      this.#epochOf.set(ackId, this.#epoch)
      this.log.push(`got ${ackId} seq ${seq}/${replay} attempt ${attempt}`)
      taken.push({ seq, replay })
    }
    const unique = new Set(taken.map(({ seq, replay }) => `${seq}/${replay}`))
    check(unique.size === taken.length, 'one lease holds a message twice')
  }

  /**
   * A message may be delivered only when every earlier one of its groups is
   * settled, or is in the same lease: judged for first deliveries, in the order of the log.
   */
  #checkOrder(seq: number, replay: number, lease: object): void {
    if (replay !== 0) return
    for (let earlier = 1; earlier < seq; earlier += 1) {
      if (!this.#shareGroup(earlier, seq)) continue
      const message = this.#messages.get(`${earlier}/0`)
      if (message && message.fate !== 'open') continue
      const newest = message?.deliveries.at(-1)
      check(
        newest?.lease === lease || this.#isPassed(earlier),
        `seq ${seq} was delivered before seq ${earlier} of its group was settled`,
      )
    }
  }

  #passedTo = 0

  /** A seek or purge settled everything before its target. */
  #isPassed(seq: number): boolean {
    return seq <= this.#passedTo
  }

  #shareGroup(one: number, other: number): boolean {
    const groups = this.#groups.get(other)!
    return this.#groups.get(one)!.some((group) => groups.includes(group))
  }

  settle(
    delivery: Delivery,
    kind: 'ack' | 'nack' | 'deadLetter' | 'extend',
    result: SettlementResult,
    more: { count?: boolean } = {},
  ): void {
    const message = this.#get(delivery.seq, delivery.replay)
    this.log.push(
      `${kind} ${delivery.ackId} seq ${delivery.seq}/${delivery.replay} -> ${JSON.stringify(result)}`,
    )
    const isNewest = message.deliveries.at(-1) === delivery
    // After a seek the message may have begun anew: what was delivered before is void.
    const isVoid = this.#epochOf.get(delivery.ackId)! < this.#epoch
    const about = `${kind} of seq ${delivery.seq} (attempt ${delivery.attempt}) answered ${result.status}`
    switch (result.status) {
      case 'acked':
      case 'nacked':
      case 'dead_lettered':
        if (result.status === 'dead_lettered' && message.fate === 'dead' && isNewest) return
        check(!isVoid, `${about} although a seek had taken the lease away`)
        check(isNewest, `${about} although the message was delivered again since`)
        check(message.fate === 'open', `${about} although it was ${message.fate}`)
        check(!message.givenUp.has(delivery.ackId), `${about} although it was given up before`)
        if (result.status === 'acked') message.fate = 'acked'
        else if (result.status === 'dead_lettered') message.fate = 'dead'
        else {
          message.givenUp.add(delivery.ackId)
          if (more.count === false) message.attempts -= 1
        }
        return
      case 'already_acked':
        check(message.fate === 'acked' && isNewest, `${about} although it is ${message.fate}`)
        return
      case 'extended':
        check(!isVoid && isNewest && message.fate === 'open', about)
        return
      case 'lease_lost':
        check(
          isVoid ||
            !isNewest ||
            message.givenUp.has(delivery.ackId) ||
            message.fate === 'dead' ||
            message.fate === 'discarded' ||
            // An extension comes too late once the lease ran out, or after the ack.
            kind === 'extend',
          `${about} for no reason`,
        )
    }
  }

  giveBack(delivery: Delivery): void {
    const message = this.#get(delivery.seq, delivery.replay)
    const isNewest = message.deliveries.at(-1) === delivery
    if (!isNewest || message.fate !== 'open' || message.givenUp.has(delivery.ackId)) return
    if (this.#epochOf.get(delivery.ackId)! < this.#epoch) return
    message.givenUp.add(delivery.ackId)
    message.attempts -= 1
  }

  /** The cursor was put to `cursor`: what is after it begins anew. */
  seek(cursor: number): void {
    this.#epoch += 1
    this.#passedTo = cursor
    for (const [key, message] of this.#messages) {
      const [seq, replay] = key.split('/').map(Number) as [number, number]
      if (replay !== 0) this.#messages.delete(key)
      else if (seq > cursor) {
        this.#messages.delete(key)
      } else if (message.fate === 'open') message.fate = 'acked'
    }
  }

  redrive(seqs: readonly { seq: number; replay: number }[]): void {
    for (const { seq, replay } of seqs) {
      const message = this.#get(seq, replay)
      check(message.fate === 'dead', `redrove seq ${seq}, which is ${message.fate}`)
      message.fate = 'open'
      const newest = message.deliveries.at(-1)
      if (newest) message.givenUp.add(newest.ackId)
    }
  }

  discard(seqs: readonly { seq: number; replay: number }[]): void {
    for (const { seq, replay } of seqs) this.#get(seq, replay).fate = 'discarded'
  }

  /** Every message is in exactly one place, and those that are in none were settled. */
  checkPlaces(places: Map<string, string[]>, cursor: number): void {
    for (let seq = 1; seq <= this.head; seq += 1) {
      const key = `${seq}/0`
      const found = places.get(key) ?? []
      const all = seq > cursor ? [...found, 'ahead'] : found
      check(all.length <= 1, `seq ${seq} is ${all.join(' and ')} at once`)
      const fate = this.#messages.get(key)?.fate ?? (this.#isPassed(seq) ? 'acked' : 'open')
      const place = all[0] ?? 'settled'
      const fits =
        place === 'settled'
          ? fate === 'acked' || fate === 'discarded'
          : place === 'dead'
            ? fate === 'dead'
            : fate === 'open'
      check(fits, `seq ${seq} is ${place} although it is ${fate}`)
    }
    for (const [key, found] of places) {
      check(found.length === 1, `message ${key} is ${found.join(' and ')} at once`)
    }
  }

  /** Expiry may have killed nothing here, since `max_deliveries` is null. */
  #get(seq: number, replay: number): Modelled {
    const key = `${seq}/${replay}`
    let message = this.#messages.get(key)
    if (!message) {
      message = fresh()
      if (replay === 0 && this.#isPassed(seq)) message.fate = 'acked'
      this.#messages.set(key, message)
    }
    return message
  }
}

function fresh(): Modelled {
  return { attempts: 0, deliveries: [], fate: 'open', givenUp: new Set() }
}

function check(truth: boolean, message: string): void {
  if (!truth) throw new Error(message)
}
