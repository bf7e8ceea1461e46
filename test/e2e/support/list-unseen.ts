import { HUNG_UP, type Event } from './history.ts'

/** What has to happen in a history, or nothing is proved by it. */
const KINDS = [
  'a client hung up while it received',
  'a client hung up while it acked',
  'a server was gone before it answered',
  'a server answered 503, as the storage was away',
  'a message was given back',
  'a lease was extended',
  'a lease was lost',
  'an ack came twice',
  'a message came again',
  'max_in_flight was reached',
  'a group was busy',
] as const

type Kind = (typeof KINDS)[number]

/** Which of what must happen has not happened yet. */
export function listUnseen(events: readonly Event[]): Kind[] {
  const seen = new Set<Kind>()
  const calls = new Map<number, string>()
  const delivered = new Set<string>()
  for (const event of events) {
    if (event.type === 'invoke') {
      calls.set(event.op, event.f)
      continue
    }
    const call = calls.get(event.op)
    if (event.type !== 'ok') {
      if (event.reason.startsWith('503')) seen.add('a server answered 503, as the storage was away')
      else if (event.type === 'info' && event.reason !== HUNG_UP)
        seen.add('a server was gone before it answered')
      else if (call === 'receive') seen.add('a client hung up while it received')
      else if (call === 'ack') seen.add('a client hung up while it acked')
      continue
    }
    if (event.limitedBy === 'max_in_flight') seen.add('max_in_flight was reached')
    if (event.limitedBy === 'blocked_groups') seen.add('a group was busy')
    for (const { id, version } of event.delivered ?? []) {
      const message = `${id}:${version}`
      if (delivered.has(message)) seen.add('a message came again')
      delivered.add(message)
    }
    for (const { status } of event.outcomes ?? []) {
      if (status === 'nacked') seen.add('a message was given back')
      if (status === 'extended') seen.add('a lease was extended')
      if (status === 'lease_lost') seen.add('a lease was lost')
      if (status === 'already_acked') seen.add('an ack came twice')
    }
  }
  return KINDS.filter((kind) => !seen.has(kind))
}
