import type { LeasedMessage, SettlementResult } from '../../../src/queue/queue-service.ts'

/** One delivery of one message: what a client holds. */
export interface Delivery {
  seq: number
  replay: number
  ackId: string
  attempt: number
  lease: object
  /** Up to when it was promised, in ms of the storage's clock. */
  expiresMs: number
}

/** Where the storage has a message: one of these, or none when it is settled or ahead. */
export interface StoredPlace {
  key: string
  place: 'leased' | 'retrying' | 'waiting' | 'dead'
  /** Where it is leased. */
  leaseNo: number | null
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
  readonly #settings: { ordering: 'group' | 'none'; maxDeliveries: number | null }
  readonly #maxInFlight: number
  isPaused = false
  head = 0
  readonly log: string[] = []
  readonly deliveries: Delivery[] = []

  constructor(
    settings: { ordering: 'group' | 'none'; maxDeliveries: number | null },
    maxInFlight: number,
  ) {
    this.#settings = settings
    this.#maxInFlight = maxInFlight
  }

  append(changes: readonly { id: number; oldId?: number }[]): void {
    for (const { id, oldId } of changes) {
      this.head += 1
      this.#groups.set(this.head, oldId === undefined || oldId === id ? [id] : [id, oldId])
    }
  }

  /** Messages were delivered, all in one lease; `clockMs` was read from the storage afterwards. */
  receive(messages: readonly LeasedMessage[], clockMs: number): void {
    const lease = {}
    const taken: { seq: number; replay: number }[] = []
    check(!this.isPaused || messages.length === 0, 'something was delivered while paused')
    for (const received of messages) {
      const { seq, ackId, attempt } = received
      const { delivery } = JSON.parse(received.toJson()) as {
        delivery: { replay?: number; lease_expires_at: string }
      }
      const replay = delivery.replay ?? 0
      const message = this.#get(seq, replay)
      check(message.fate === 'open', `seq ${seq} was delivered although it is ${message.fate}`)
      check(
        !this.#isHeld(message, clockMs),
        `seq ${seq} was delivered while another lease of it lived`,
      )
      check(
        attempt === message.attempts + 1,
        `seq ${seq} was delivered as attempt ${attempt} after ${message.attempts}`,
      )
      this.#checkOrder(seq, replay, lease, clockMs)
      message.attempts = attempt
      const expiresMs = Date.parse(delivery.lease_expires_at)
      const made = { seq, replay, ackId, attempt, lease, expiresMs }
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
  #checkOrder(seq: number, replay: number, lease: object, clockMs: number): void {
    if (replay !== 0 || this.#settings.ordering === 'none') return
    for (let earlier = 1; earlier < seq; earlier += 1) {
      if (!this.#shareGroup(earlier, seq)) continue
      const message = this.#messages.get(`${earlier}/0`)
      if (message && message.fate !== 'open') continue
      const newest = message?.deliveries.at(-1)
      if (message && newest?.lease !== lease && this.#isSpent(message, clockMs)) {
        // The same receive found its last lease run out: it must be dead now.
        message.fate = 'dead'
        continue
      }
      check(
        newest?.lease === lease || this.#isPassed(earlier),
        `seq ${seq} was delivered before seq ${earlier} of its group was settled`,
      )
    }
  }

  /** Whether its newest delivery is still the holder's for certain. */
  #isHeld(message: Modelled, clockMs: number): boolean {
    const newest = message.deliveries.at(-1)
    return (
      newest !== undefined &&
      message.fate === 'open' &&
      newest.expiresMs > clockMs &&
      !message.givenUp.has(newest.ackId) &&
      this.#epochOf.get(newest.ackId) === this.#epoch
    )
  }

  /** Whether the lease of its last delivery that is allowed ran out. */
  #isSpent(message: Modelled, clockMs: number): boolean {
    const newest = message.deliveries.at(-1)
    return (
      newest !== undefined &&
      newest.expiresMs <= clockMs &&
      message.attempts >= (this.#settings.maxDeliveries ?? Infinity)
    )
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
        if (kind === 'nack') {
          if (more.count === false) message.attempts -= 1
          const isLast = message.attempts >= (this.#settings.maxDeliveries ?? Infinity)
          check(isLast === (result.status === 'dead_lettered'), `${about} of ${message.attempts}`)
        }
        if (result.status === 'acked') message.fate = 'acked'
        else if (result.status === 'dead_lettered') message.fate = 'dead'
        else message.givenUp.add(delivery.ackId)
        return
      case 'already_acked':
        check(message.fate === 'acked' && isNewest, `${about} although it is ${message.fate}`)
        return
      case 'extended':
        check(!isVoid && isNewest && message.fate === 'open', about)
        delivery.expiresMs = Date.parse(result.leaseExpiresAt)
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
      // A replay ends; what of it is dead and behind the cursor stays a dead letter.
      const isForgotten = seq > cursor || (replay !== 0 && message.fate !== 'dead')
      if (isForgotten) this.#messages.delete(key)
      else if (message.fate === 'open') message.fate = 'acked'
    }
  }

  /** Nothing that there was is delivered any more, dead letters included. */
  purge(): void {
    this.seek(this.head)
    for (const message of this.#messages.values()) {
      if (message.fate === 'dead') message.fate = 'discarded'
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

  /** Invariants 3, 4 and 5 and `max_in_flight`, by what the storage has at `clockMs`. */
  checkPlaces(stored: readonly StoredPlace[], cursor: number, clockMs: number): void {
    const places = new Map<string, StoredPlace>()
    for (const each of stored) {
      const other = places.get(each.key)
      check(!other, `message ${each.key} is ${other?.place} and ${each.place} at once`)
      places.set(each.key, each)
    }
    this.#noteExpiredForGood(places)
    for (let seq = 1; seq <= this.head; seq += 1) {
      const place = places.get(`${seq}/0`)?.place
      check(!place || seq <= cursor, `seq ${seq} is ${place} and ahead at once`)
      const fate = this.#messages.get(`${seq}/0`)?.fate ?? (this.#isPassed(seq) ? 'acked' : 'open')
      const where = place ?? (seq > cursor ? 'ahead' : 'settled')
      const fits =
        where === 'settled'
          ? fate === 'acked' || fate === 'discarded'
          : where === 'dead'
            ? fate === 'dead'
            : fate === 'open'
      check(fits, `seq ${seq} is ${where} although it is ${fate}`)
    }
    this.#checkHeld(places, clockMs)
    this.#checkGroups(stored)
    const leased = stored.filter(({ place }) => place === 'leased').length
    check(leased <= this.#maxInFlight, `${leased} messages are leased at once`)
  }

  /** A lease that ran out after the last delivery that is allowed made its message dead. */
  #noteExpiredForGood(places: ReadonlyMap<string, StoredPlace>): void {
    for (const [key, { place }] of places) {
      const message = this.#messages.get(key)
      if (place !== 'dead' || message?.fate !== 'open') continue
      const { maxDeliveries } = this.#settings
      check(
        maxDeliveries !== null && message.attempts >= maxDeliveries,
        `message ${key} is dead after ${message.attempts} deliveries`,
      )
      message.fate = 'dead'
    }
  }

  /** Whoever was promised a message until some time has it until then. */
  #checkHeld(places: ReadonlyMap<string, StoredPlace>, clockMs: number): void {
    for (const [key, message] of this.#messages) {
      if (!this.#isHeld(message, clockMs)) continue
      const place = places.get(key)?.place ?? 'nowhere'
      check(place === 'leased', `seq ${key} is ${place} although its lease lives`)
    }
  }

  /** Of one group no two leases hold messages at a time. */
  #checkGroups(stored: readonly StoredPlace[]): void {
    if (this.#settings.ordering === 'none') return
    const holders = new Map<number, StoredPlace>()
    for (const each of stored) {
      if (each.leaseNo === null) continue
      for (const group of this.#groups.get(Number.parseInt(each.key, 10))!) {
        const other = holders.get(group) ?? each
        check(
          other.leaseNo === each.leaseNo,
          `seq ${each.key} and ${other.key} of one group are in two leases`,
        )
        holders.set(group, each)
      }
    }
  }

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
