import type { LeasedMessage } from '../queue/queue-service.ts'

/** A message that this process holds leased. */
export interface HeldMessage {
  readonly message: LeasedMessage
  /** Until when it is ours, by push's clock and with a margin. */
  leasedUntilMs: number
}

/** Messages that are sent one after the other. */
interface Group {
  /** What the queue calls it; of a message without a group an object of its own. */
  readonly name: string | object
  /** Those that wait, in the order of the queue. */
  messages: HeldMessage[]
  /** A request with messages of the group is under way. */
  isBusy: boolean
  /** It has its turn ahead. */
  isReady: boolean
}

/** Messages of one group inside one request, in order. */
interface ShipmentPart {
  readonly group: Group
  messages: HeldMessage[]
}

/** What one request carries. */
export interface Shipment {
  readonly parts: readonly ShipmentPart[]
}

/** In the order in which they are sent. */
export function listMessages({ parts }: Shipment): readonly HeldMessage[] {
  return parts.length === 1 ? parts[0]!.messages : parts.flatMap(({ messages }) => messages)
}

/**
 * Leased messages that wait for their request. Of a group only the front may be
 * sent, and only while nothing of it is under way; groups take turns.
 */
export class Backlog {
  readonly #groups = new Map<string | object, Group>()
  readonly #turns = new Turns()
  #size = 0
  #bytes = 0

  /** Messages that wait. */
  get size(): number {
    return this.#size
  }

  /** Groups that could be sent to at once. */
  get readyCount(): number {
    return this.#turns.count
  }

  /** Of the messages that wait, about. */
  get bytes(): number {
    return this.#bytes
  }

  /** Holds messages in the order given. */
  add(messages: readonly HeldMessage[]): void {
    for (const held of messages) {
      const name = held.message.group ?? held
      let group = this.#groups.get(name)
      if (group) group.messages.push(held)
      else {
        // Made with what is in it: an empty list that grows takes room for many.
        group = { name, messages: [held], isBusy: false, isReady: false }
        this.#groups.set(name, group)
      }
      this.#size++
      this.#bytes += held.message.size
      if (!group.isBusy) this.#turns.add(group)
    }
  }

  /** Takes up to `countMax` messages for one request; undefined: there are none to send. */
  take(countMax: number): Shipment | undefined {
    const first = this.#takePart(countMax)
    if (!first) return undefined
    const parts = [first]
    let room = countMax - first.messages.length
    while (room > 0) {
      const part = this.#takePart(room)
      if (!part) break
      parts.push(part)
      room -= part.messages.length
    }
    return { parts }
  }

  #takePart(countMax: number): ShipmentPart | undefined {
    const group = this.#turns.next()
    if (!group) return undefined
    const messages = takeFront(group, countMax)
    group.isBusy = true
    this.#forget(messages)
    return { group, messages }
  }

  /** The request is over: its groups' next messages may go. */
  release(shipment: Shipment): void {
    for (const { group } of shipment.parts) {
      group.isBusy = false
      if (group.messages.length > 0) this.#turns.add(group)
      else this.#groups.delete(group.name)
    }
  }

  /** Removes and answers what waits of a group: it must not overtake what failed before it. */
  drop(group: Group): HeldMessage[] {
    const messages = takeFront(group, Infinity)
    this.#turns.remove(group)
    this.#forget(messages)
    return messages
  }

  /** Removes and answers everything that waits. */
  dropAll(): HeldMessage[] {
    const dropped = [...this.#groups.values()].flatMap((group) => this.drop(group))
    for (const [name, { isBusy }] of this.#groups) if (!isBusy) this.#groups.delete(name)
    return dropped
  }

  /** What waits and whose lease ends before a time. */
  listExpiring(beforeMs: number): HeldMessage[] {
    return [...this.#groups.values()].flatMap(({ messages }) =>
      messages.filter(({ leasedUntilMs }) => leasedUntilMs < beforeMs),
    )
  }

  #forget(messages: readonly HeldMessage[]): void {
    this.#size -= messages.length
    for (const { message } of messages) this.#bytes -= message.size
  }
}

/** Room for turns that are over is given back when it is so much, and half of all. */
const OVER_MAX = 1024

/**
 * Groups with a message that may be sent, first come, first served. A list and not a Set:
 * one that loses its first element again and again walks over all that it has lost.
 */
class Turns {
  /** Those whose turn is over are gone from it: they would keep what they hold in memory. */
  #groups: (Group | undefined)[] = []
  #next = 0
  count = 0

  add(group: Group): void {
    if (group.isReady) return
    group.isReady = true
    this.#groups.push(group)
    this.count++
  }

  next(): Group | undefined {
    while (this.#next < this.#groups.length) {
      const group = this.#groups[this.#next]
      this.#groups[this.#next++] = undefined
      this.#forgetOver()
      if (!group?.isReady) continue
      this.remove(group)
      return group
    }
    return undefined
  }

  /** Its place in the list is passed over. */
  remove(group: Group): void {
    if (!group.isReady) return
    group.isReady = false
    this.count--
  }

  #forgetOver(): void {
    if (this.#next < OVER_MAX || this.#next * 2 < this.#groups.length) return
    this.#groups = this.#groups.slice(this.#next)
    this.#next = 0
  }
}

/** The first messages of a group, which loses them. Mostly all there are: then nothing is moved. */
function takeFront(group: Group, countMax: number): HeldMessage[] {
  const { messages } = group
  if (messages.length > countMax) return messages.splice(0, countMax)
  group.messages = []
  return messages
}
