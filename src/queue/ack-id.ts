import { MillraceError } from '../errors.ts'

/** What an ack id says: which message, and in which lease. New with every delivery. */
export interface AckId {
  consumerNo: number
  leaseNo: number
  /** Random: another's ack id cannot be guessed. */
  nonce: number
  seq: number
  replayNo: number
  /** Its place in the lease. */
  ordinal: number
}

/** Five base-36 numbers after a mark of the format: `a-consumer-lease-nonce-ordinal-seq[-replay]`. */
const FORM =
  /^a-([0-9a-z]{1,7})-([0-9a-z]{1,11})-([0-9a-z]{1,11})-([0-9a-z]{1,4})-([0-9a-z]{1,11})(?:-([0-9a-z]{1,7}))?$/

/** The part of the ack ids that a lease's messages share. */
export function ackIdPrefix(consumerNo: number, leaseNo: number, nonce: number): string {
  return `a-${consumerNo.toString(36)}-${leaseNo.toString(36)}-${nonce.toString(36)}-`
}

export function formatAckId(
  prefix: string,
  ordinal: number,
  seq: number,
  replayNo: number,
): string {
  const id = `${prefix}${ordinal.toString(36)}-${seq.toString(36)}`
  return replayNo === 0 ? id : `${id}-${replayNo.toString(36)}`
}

/**
 * Reads an ack id.
 * @throws MillraceError `malformed_ack_id`, pointing at `/index`
 */
export function parseAckId(text: string, index: number): AckId {
  const parts = FORM.exec(text)
  if (parts) {
    const leaseNo = parseInt(parts[2]!, 36)
    const nonce = parseInt(parts[3]!, 36)
    const seq = parseInt(parts[5]!, 36)
    // The others are too short to be unsafe.
    if ([leaseNo, nonce, seq].every(Number.isSafeInteger)) {
      const replayNo = parts[6] === undefined ? 0 : parseInt(parts[6], 36)
      const consumerNo = parseInt(parts[1]!, 36)
      return { consumerNo, leaseNo, nonce, seq, replayNo, ordinal: parseInt(parts[4]!, 36) }
    }
  }
  throw new MillraceError(
    'malformed_ack_id',
    'This is not an ack id: pass back the `ack_id` of a received message, unchanged.',
    { errors: [{ pointer: `/${index}`, detail: 'not an ack id' }] },
  )
}
