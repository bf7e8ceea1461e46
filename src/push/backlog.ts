import type { LeasedMessage } from '../queue/queue-service.ts'

/** A message that this process holds leased. */
export interface HeldMessage {
  readonly message: LeasedMessage
  /** As it is sent. */
  readonly body: string
  /** Until when it is ours, by push's clock and with a margin. */
  leasedUntilMs: number
}

interface Group {
  /** In the order of the queue. */
  readonly messages: HeldMessage[]
  /** A request with messages of the group is under way. */
  isBusy: boolean
}

/**
 * Leased messages that wait for their request. Of a group only the front may be
 * sent, and only while nothing of it is under way; groups take turns.
 */
export class Backlog {
  readonly #groups = new Map<string, Group>()
  /** Groups with a message that may be sent, in turn. */
  readonly #ready = new Set<string>()
  #nextUngrouped = 0
  #size = 0
  #chars = 0

  /** Messages that wait. */
  get size(): number {
    return this.#size
  }

  /** Groups that could be sent to at once. */
  get readyCount(): number {
    return this.#ready.size
  }

  /** Of the bodies that wait; about their bytes. */
  get chars(): number {
    return this.#chars
  }

  /** Holds messages in the order given. */
  add(messages: readonly HeldMessage[]): void {
    for (const held of messages) {
      // Groups of the queue are prefixed so that they never meet the made-up ones.
      const name =
        held.message.group === null ? `u${this.#nextUngrouped++}` : `g${held.message.group}`
      const group = this.#groups.get(name) ?? { messages: [], isBusy: false }
      this.#groups.set(name, group)
      group.messages.push(held)
      this.#size++
      this.#chars += held.body.length
      if (!group.isBusy) this.#ready.add(name)
    }
  }

  /** Takes up to `countMax` messages for one request; undefined: there are none to send. */
  take(countMax: number): Shipment | undefined {
    const parts: ShipmentPart[] = []
    let room = countMax
    for (const name of this.#ready) {
      if (room === 0) break
      const group = this.#groups.get(name)!
      const messages = group.messages.splice(0, room)
      group.isBusy = true
      this.#ready.delete(name)
      room -= messages.length
      this.#forget(messages)
      parts.push({ group: name, messages })
    }
    return parts.length > 0 ? { parts } : undefined
  }

  /** The request is over: its groups' next messages may go. */
  release(shipment: Shipment): void {
    for (const { group: name } of shipment.parts) {
      const group = this.#groups.get(name)
      if (!group) continue
      group.isBusy = false
      if (group.messages.length > 0) this.#ready.add(name)
      else this.#groups.delete(name)
    }
  }

  /** Removes and answers what waits of a group: it must not overtake what failed before it. */
  drop(groupName: string): HeldMessage[] {
    const messages = this.#groups.get(groupName)?.messages.splice(0) ?? []
    this.#ready.delete(groupName)
    this.#forget(messages)
    return messages
  }

  /** Removes and answers everything that waits. */
  dropAll(): HeldMessage[] {
    const dropped = [...this.#groups.keys()].flatMap((name) => this.drop(name))
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
    for (const { body } of messages) this.#chars -= body.length
  }
}

/** Messages of one group inside one request, in order. */
interface ShipmentPart {
  group: string
  messages: HeldMessage[]
}

/** What one request carries. */
export interface Shipment {
  parts: ShipmentPart[]
}
