import { describe, expect, test } from 'vitest'

import { Backlog, type HeldMessage, type Shipment } from '../../src/push/backlog.ts'

function held(name: string): HeldMessage {
  const [group = '', number = ''] = name.split(':')
  return {
    message: {
      ackId: name,
      seq: Number(number),
      idempotencyKey: name,
      attempt: 1,
      group: group === '' ? null : group,
      size: 2,
      toJson: () => '{}',
      toPushJson: () => '{}',
    },
    leasedUntilMs: Number(number),
  }
}

function names(shipment: Shipment | undefined): string[] {
  return (shipment?.parts ?? []).flatMap(({ messages }) =>
    messages.map(({ message }) => message.ackId),
  )
}

describe('the backlog', () => {
  test('sends one message of a group at a time, in order, and groups side by side', () => {
    const backlog = new Backlog()
    backlog.add(['a:1', 'a:2', 'b:3', 'a:4'].map(held))
    const first = backlog.take(1)
    const second = backlog.take(1)
    expect([names(first), names(second), backlog.take(1)]).toEqual([['a:1'], ['b:3'], undefined])
    backlog.release(first!)
    expect(names(backlog.take(1))).toEqual(['a:2'])
    expect(backlog.size).toBe(1)
  })

  test('sends nothing that comes for a group while a request of it is under way', () => {
    const backlog = new Backlog()
    backlog.add([held('a:1')])
    const first = backlog.take(1)
    backlog.add([held('a:2')])
    expect(backlog.take(1)).toBeUndefined()
    backlog.release(first!)
    expect(names(backlog.take(1))).toEqual(['a:2'])
  })

  test('puts several groups into a batch, each in order', () => {
    const backlog = new Backlog()
    backlog.add(['a:1', 'a:2', 'b:3', ':4', ':5'].map(held))
    expect(names(backlog.take(4))).toEqual(['a:1', 'a:2', 'b:3', ':4'])
    expect(names(backlog.take(4))).toEqual([':5'])
  })

  test('sends messages without a group at the same time', () => {
    const backlog = new Backlog()
    backlog.add([':1', ':2', ':3'].map(held))
    expect(backlog.readyCount).toBe(3)
  })

  test('keeps a later lease of a busy group behind its request', () => {
    const backlog = new Backlog()
    backlog.add([held('a:1')])
    const first = backlog.take(1)!
    backlog.add([held('a:2')])
    expect(backlog.take(1)).toBeUndefined()
    backlog.release(first)
    expect(names(backlog.take(1))).toEqual(['a:2'])
  })

  test('lets go of what waits behind a failed message', () => {
    const backlog = new Backlog()
    backlog.add(['a:1', 'a:2', 'a:3', 'b:4'].map(held))
    const first = backlog.take(1)!
    expect(backlog.drop(first.parts[0]!.group).map(({ message }) => message.ackId)).toEqual([
      'a:2',
      'a:3',
    ])
    backlog.release(first)
    expect(names(backlog.take(1))).toEqual(['b:4'])
    expect([backlog.size, backlog.bytes, backlog.readyCount]).toEqual([0, 0, 0])
  })

  test('gives everything back, and goes on afterwards', () => {
    const backlog = new Backlog()
    backlog.add(['a:1', 'a:2', 'b:3'].map(held))
    const first = backlog.take(1)!
    expect(backlog.dropAll().map(({ message }) => message.ackId)).toEqual(['a:2', 'b:3'])
    backlog.release(first)
    expect([backlog.size, backlog.readyCount]).toEqual([0, 0])
    backlog.add([held('a:5')])
    expect(names(backlog.take(1))).toEqual(['a:5'])
  })

  test('finds the leases that end soon', () => {
    const backlog = new Backlog()
    backlog.add(['a:1', 'a:20', 'b:3'].map(held))
    expect(backlog.listExpiring(10).map(({ message }) => message.ackId)).toEqual(['a:1', 'b:3'])
  })
})
