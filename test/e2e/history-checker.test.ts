import { describe, expect, test } from 'vitest'

import { checkHistory } from './support/check-history.ts'
import type { Event } from './support/history.ts'

/** A history told step by step, one step every 100 ms unless it says when. */
class Story {
  readonly events: Event[] = []
  #op = 0
  #at = 0

  wait(ms: number): this {
    this.#at += ms
    return this
  }

  receive(...messages: [ackId: string, id: number, version: number][]): this {
    const sentAt = (this.#at += 100)
    const at = (this.#at += 100)
    const delivered = messages.map(([ackId, id, version]) => ({
      ackId,
      id,
      version,
      expiresAt: at + 1000,
    }))
    this.events.push({ type: 'invoke', at: sentAt, op: ++this.#op, client: 1, f: 'receive' })
    this.events.push({ type: 'ok', at, op: this.#op, delivered })
    return this
  }

  settle(f: 'ack' | 'nack' | 'extend', ackId: string, status?: string): this {
    const sentAt = (this.#at += 100)
    const at = (this.#at += 100)
    this.events.push({ type: 'invoke', at: sentAt, op: ++this.#op, client: 1, f, ackIds: [ackId] })
    const outcomes = [
      { ackId, status: status ?? '', ...(f === 'extend' ? { expiresAt: at + 1000 } : {}) },
    ]
    if (status) this.events.push({ type: 'ok', at, op: this.#op, outcomes })
    else this.events.push({ type: 'info', at, op: this.#op, reason: 'hung up' })
    return this
  }

  find(committed: [id: number, newest: number][] = [[1, 1]], maxInFlight = 100): string[] {
    return checkHistory(this.events, new Map(committed), maxInFlight).map(
      ({ rule, message }) => `${rule} ${message}`,
    )
  }
}

const tell = (): Story => new Story()

describe('a history without fault', () => {
  test('may deliver again after a lease ran out, or was given back', () => {
    expect(
      tell()
        .receive(['a', 1, 1])
        .wait(1000)
        .receive(['b', 1, 1])
        .settle('ack', 'b', 'acked')
        .find(),
    ).toEqual([])
    expect(
      tell()
        .receive(['a', 1, 1])
        .settle('nack', 'a')
        .receive(['b', 1, 1])
        .settle('ack', 'b', 'acked')
        .find(),
    ).toEqual([])
  })

  test('may deliver again after an ack that nobody knows of', () => {
    expect(
      tell()
        .receive(['a', 1, 1])
        .settle('ack', 'a')
        .receive(['b', 1, 1])
        .settle('ack', 'b', 'already_acked')
        .find(),
    ).toEqual([])
  })

  test('may deliver versions of a row together, or one after the ack of the other', () => {
    const together = tell().receive(['a', 1, 1], ['b', 1, 2])
    expect(
      together
        .settle('ack', 'a', 'acked')
        .settle('ack', 'b', 'acked')
        .find([[1, 2]]),
    ).toEqual([])
    const apart = tell().receive(['a', 1, 1]).settle('ack', 'a', 'acked').receive(['b', 1, 2])
    expect(apart.settle('ack', 'b', 'acked').find([[1, 2]])).toEqual([])
  })
})

describe('a history with a fault', () => {
  test('has a message that was never acked', () => {
    expect(tell().find()).toEqual(['lost 1:1'])
    expect(tell().receive(['a', 1, 1]).settle('ack', 'a', 'lease_lost').find()).toEqual([
      'lost 1:1',
    ])
    expect(tell().receive(['a', 1, 1]).settle('ack', 'a').find()).toEqual(['lost 1:1'])
  })

  test('has a message that nobody committed', () => {
    expect(tell().receive(['a', 2, 1]).settle('ack', 'a', 'acked').find([])).toEqual([
      'unknown 2:1',
    ])
  })

  test('has a message in two leases at the same time', () => {
    const story = tell().receive(['a', 1, 1]).receive(['b', 1, 1]).settle('ack', 'b', 'acked')
    expect(story.find()).toEqual(['two leases 1:1'])
  })

  test('has a message in another lease while its own was extended', () => {
    const story = tell().receive(['a', 1, 1]).wait(500).settle('extend', 'a', 'extended').wait(500)
    expect(story.receive(['b', 1, 1]).settle('ack', 'b', 'acked').find()).toEqual([
      'two leases 1:1',
    ])
  })

  test('has a message that came after its ack was answered', () => {
    const story = tell().receive(['a', 1, 1]).settle('ack', 'a', 'acked').receive(['b', 1, 1])
    expect(story.find()).toEqual(['delivered after ack 1:1'])
  })

  test('has a version before the one before it was settled', () => {
    const early = tell().receive(['a', 1, 1]).receive(['b', 1, 2])
    expect(
      early
        .settle('ack', 'a', 'acked')
        .settle('ack', 'b', 'acked')
        .find([[1, 2]]),
    ).toEqual(['order 1:2'])
    const turned = tell().receive(['b', 1, 2], ['a', 1, 1])
    expect(
      turned
        .settle('ack', 'a', 'acked')
        .settle('ack', 'b', 'acked')
        .find([[1, 2]]),
    ).toEqual(['order 1:2'])
  })

  test('has more messages leased at a time than are allowed', () => {
    const story = (wait: number): Story =>
      tell()
        .receive(['a', 1, 1])
        .wait(wait)
        .receive(['b', 2, 1], ['c', 3, 1])
        .settle('ack', 'b', 'acked')
        .settle('ack', 'c', 'acked')
        .receive(['d', 1, 1])
        .settle('ack', wait > 0 ? 'd' : 'a', 'acked')
    const rows: [number, number][] = [
      [1, 1],
      [2, 1],
      [3, 1],
    ]
    expect(story(0).find(rows, 2)).toEqual(['two leases 1:1', 'max_in_flight 3:1'])
    // The first one ran out before the others came.
    expect(story(1000).find(rows, 2)).toEqual([])
  })
})
