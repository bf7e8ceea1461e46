import type { Delivered, Event } from './history.ts'

/**
 * A lease is taken to end this much before the time it names: the clocks of the storage
 * and of the clients are read at different moments, and times are told in whole ms.
 */
const CLOCK_MARGIN_MS = 50

export interface Violation {
  readonly rule:
    | 'lost'
    | 'unknown'
    | 'two leases'
    | 'delivered after ack'
    | 'order'
    | 'max_in_flight'
  readonly message: string
  readonly detail: string
}

/** A message in a client's hands, for certain, from one time to another. */
interface Lease {
  readonly delivered: Delivered
  readonly message: string
  readonly requestedAt: number
  readonly from: number
  readonly place: number
  until: number
}

interface Known {
  readonly leases: Lease[]
  readonly byAckId: ReadonlyMap<string, Lease>
  /** When an ack of a message was first sent, whatever became of it. */
  readonly ackSentAt: Map<string, number>
  /** When an ack of a message was first known to be taken. */
  readonly ackedAt: Map<string, number>
}

/**
 * Finds what a queue must never do in what its clients saw, and only what is certain:
 * an answer that nobody read, or an ack of which nobody knows, is no evidence.
 *
 * `committed` holds the versions of every row, from 1 to the one given. `maxInFlight` is
 * how many messages may be leased at the same time.
 */
export function checkHistory(
  events: readonly Event[],
  committed: ReadonlyMap<number, number>,
  maxInFlight: number,
): Violation[] {
  const known = gather(events)
  return [
    ...findLost(known, committed),
    ...findTwoLeases(known),
    ...findDeliveredAfterAck(known),
    ...findDisorder(known),
    ...findTooMany(known, maxInFlight),
  ]
}

const nameOf = (id: number, version: number): string => `${id}:${version}`

function gather(events: readonly Event[]): Known {
  const leases = gatherLeases(events)
  const byAckId = new Map(leases.map((lease) => [lease.delivered.ackId, lease]))
  const ackSentAt = new Map<string, number>()
  const ackedAt = new Map<string, number>()
  for (const event of events) {
    if (event.type === 'invoke') {
      if (event.f === 'receive') continue
      for (const ackId of event.ackIds) {
        const lease = byAckId.get(ackId)
        if (!lease) continue
        // From then on it may be settled. Clients extend leases, but never shorten them.
        if (event.f !== 'extend') lease.until = Math.min(lease.until, event.at)
        if (event.f === 'ack') noteFirst(ackSentAt, lease.message, event.at)
      }
    } else if (event.type === 'ok') {
      for (const { ackId, status } of event.outcomes ?? []) {
        const isAcked = status === 'acked' || status === 'already_acked'
        const lease = byAckId.get(ackId)
        if (isAcked && lease) noteFirst(ackedAt, lease.message, event.at)
      }
    }
  }
  extendLeases(events, byAckId)
  return { leases, byAckId, ackSentAt, ackedAt }
}

function gatherLeases(events: readonly Event[]): Lease[] {
  const sentAt = new Map<number, number>()
  const leases: Lease[] = []
  for (const event of events) {
    if (event.type === 'invoke') sentAt.set(event.op, event.at)
    if (event.type !== 'ok') continue
    for (const delivered of event.delivered ?? []) {
      leases.push({
        delivered,
        message: nameOf(delivered.id, delivered.version),
        requestedAt: sentAt.get(event.op)!,
        from: event.at,
        until: delivered.expiresAt - CLOCK_MARGIN_MS,
        place: leases.length,
      })
    }
  }
  return leases
}

/** From the answer on; a lease that was settled meanwhile stays ended. */
function extendLeases(events: readonly Event[], byAckId: ReadonlyMap<string, Lease>): void {
  const settled = new Set<string>()
  for (const event of events) {
    if (event.type === 'invoke' && (event.f === 'ack' || event.f === 'nack')) {
      for (const ackId of event.ackIds) settled.add(ackId)
    } else if (event.type === 'ok') {
      for (const { ackId, status, expiresAt } of event.outcomes ?? []) {
        const lease = byAckId.get(ackId)
        if (status !== 'extended' || expiresAt === undefined || !lease) continue
        const settledLater = events.find(
          (later) =>
            later.type === 'invoke' &&
            later.at >= event.at &&
            (later.f === 'ack' || later.f === 'nack') &&
            later.ackIds.includes(ackId),
        )
        if (settled.has(ackId)) continue
        lease.until = Math.min(expiresAt - CLOCK_MARGIN_MS, settledLater?.at ?? Infinity)
      }
    }
  }
}

function noteFirst(times: Map<string, number>, message: string, at: number): void {
  if (!times.has(message)) times.set(message, at)
}

function findLost(known: Known, committed: ReadonlyMap<number, number>): Violation[] {
  const violations: Violation[] = []
  for (const [id, newest] of committed) {
    for (let version = 1; version <= newest; version++) {
      const message = nameOf(id, version)
      if (known.ackedAt.has(message)) continue
      violations.push({ rule: 'lost', message, detail: 'it was committed, and never acked' })
    }
  }
  for (const { message, delivered } of known.leases) {
    if (delivered.version >= 1 && delivered.version <= (committed.get(delivered.id) ?? 0)) continue
    violations.push({ rule: 'unknown', message, detail: 'it was delivered, and never committed' })
  }
  return violations
}

function findTwoLeases({ leases }: Known): Violation[] {
  const violations: Violation[] = []
  for (const [message, own] of groupBy(leases, (lease) => lease.message)) {
    const sorted = own.toSorted((one, other) => one.from - other.from)
    for (const [index, later] of sorted.entries()) {
      const alive = sorted.slice(0, index).find((lease) => lease.until > later.from)
      if (!alive || later.until <= later.from) continue
      violations.push({
        rule: 'two leases',
        message,
        detail: `${alive.delivered.ackId} ran until ${alive.until}, ${later.delivered.ackId} came at ${later.from}`,
      })
    }
  }
  return violations
}

function findDeliveredAfterAck({ leases, ackedAt }: Known): Violation[] {
  return leases
    .filter(({ message, requestedAt }) => requestedAt > (ackedAt.get(message) ?? Infinity))
    .map(({ message, requestedAt, delivered }) => ({
      rule: 'delivered after ack',
      message,
      detail: `acked at ${ackedAt.get(message)}, ${delivered.ackId} was asked for at ${requestedAt}`,
    }))
}

/**
 * Whoever gets a version of a row has the ones before it in the same answer, ahead of it,
 * or an ack of them was on its way: at first deliveries and at all others.
 */
function findDisorder({ leases, ackSentAt }: Known): Violation[] {
  const violations: Violation[] = []
  for (const answer of groupBy(leases, (lease) => lease.from).values()) {
    const ahead = new Set<string>()
    for (const { message, delivered, from } of answer) {
      for (let version = 1; version < delivered.version; version++) {
        const before = nameOf(delivered.id, version)
        if (ahead.has(before) || (ackSentAt.get(before) ?? Infinity) < from) continue
        violations.push({
          rule: 'order',
          message,
          detail: `${delivered.ackId} came at ${from}, before ${before} was settled`,
        })
        break
      }
      ahead.add(message)
    }
  }
  return violations
}

/** The first moment at which clients certainly held more than is allowed. */
function findTooMany({ leases }: Known, maxInFlight: number): Violation[] {
  const held = leases.filter(({ from, until }) => from < until)
  const turns = held
    .flatMap((lease) => [
      { at: lease.from, by: 1, lease },
      { at: lease.until, by: -1, lease },
    ])
    .toSorted((one, other) => one.at - other.at || one.by - other.by)
  let count = 0
  for (const { at, by, lease } of turns) {
    count += by
    if (count <= maxInFlight) continue
    const detail = `${count} were leased at ${at}`
    return [{ rule: 'max_in_flight', message: lease.message, detail }]
  }
  return []
}

function groupBy<T, K>(list: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>()
  for (const item of list) {
    const group = groups.get(keyOf(item))
    if (group) group.push(item)
    else groups.set(keyOf(item), [item])
  }
  return groups
}
