import type { Settlement } from '../queue/queue-service.ts'
import { listMessages, type HeldMessage, type Shipment } from './backlog.ts'
import type { Verdict } from './judge-answer.ts'

/**
 * What the queue is told of a request's messages. An attempt counts when the
 * receiver failed it, and not when nobody was there to fail it while the breaker
 * probed: else an outage of an hour would use up a message's deliveries.
 */
export function settleShipment(
  shipment: Shipment,
  verdict: Verdict,
  wasProbe: boolean,
): Settlement[] {
  const messages = listMessages(shipment)
  switch (verdict.kind) {
    case 'ack':
      return messages.map(({ message }) => ({ kind: 'ack', ackId: message.ackId }))
    case 'partial':
      return messages.map((held) => settleOne(held, verdict.failed))
    case 'gone':
      return messages.map((held) => returnMessage(held, verdict.reason))
    case 'slow':
      return messages.map((held) => returnMessage(held, verdict.reason, verdict.delayMs))
    case 'fail':
  }
  const { reason, isEndpointDown } = verdict
  const countAttempt = !(wasProbe && isEndpointDown)
  return messages.map(({ message: { ackId } }) => ({ kind: 'nack', ackId, reason, countAttempt }))
}

/** Groups of which something failed: what waits behind it must not be sent before it. */
export function listFailedGroups(
  shipment: Shipment,
  verdict: Verdict,
): Shipment['parts'][number]['group'][] {
  if (verdict.kind === 'ack') return []
  const failed = verdict.kind === 'partial' ? verdict.failed : undefined
  return shipment.parts
    .filter(
      ({ messages }) =>
        !failed || messages.some(({ message }) => failed.has(message.idempotencyKey)),
    )
    .map(({ group }) => group)
}

/** Back to the queue as if it had never been leased. */
export function returnMessage(held: HeldMessage, reason?: string, delayMs = 0): Settlement {
  return {
    kind: 'nack',
    ackId: held.message.ackId,
    delayMs,
    countAttempt: false,
    ...(reason === undefined ? {} : { reason }),
  }
}

function settleOne(
  { message: { ackId, idempotencyKey } }: HeldMessage,
  failed: Extract<Verdict, { kind: 'partial' }>['failed'],
): Settlement {
  const failure = failed.get(idempotencyKey)
  if (!failure) return { kind: 'ack', ackId }
  const { delayMs, reason } = failure
  return { kind: 'nack', ackId, reason, ...(delayMs === undefined ? {} : { delayMs }) }
}
