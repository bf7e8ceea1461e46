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

/** Base-36 numbers after a mark of the format: `a-consumer-lease-nonce-ordinal-seq[-replay]`. */
const DIGITS_MAX = [7, 11, 11, 4, 11, 7]
const NUMBERS_MIN = 5
/** Char codes. */
const MARK = 0x61
const DASH = 0x2d

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
  const count = readNumbers(text)
  if (count === 0) throw malformed(index)
  return {
    consumerNo: numbers[0]!,
    leaseNo: numbers[1]!,
    nonce: numbers[2]!,
    ordinal: numbers[3]!,
    seq: numbers[4]!,
    replayNo: count > NUMBERS_MIN ? numbers[5]! : 0,
  }
}

/** What `readNumbers` has read, until it is called again: a call may bring a thousand ids. */
const numbers = new Float64Array(DIGITS_MAX.length)

/** Answers how many there are; 0: it is no ack id. */
function readNumbers(text: string): number {
  if (text.charCodeAt(0) !== MARK || text.charCodeAt(1) !== DASH) return 0
  let count = 0
  let digits = 0
  let value = 0
  for (let at = 2; at <= text.length; at += 1) {
    const code = at < text.length ? text.charCodeAt(at) : DASH
    if (code === DASH) {
      if (digits === 0 || digits > DIGITS_MAX[count]! || !Number.isSafeInteger(value)) return 0
      numbers[count] = value
      count += 1
      digits = 0
      value = 0
      if (count === DIGITS_MAX.length && at < text.length) return 0
      continue
    }
    const digit = digitOf(code)
    if (digit < 0) return 0
    value = value * 36 + digit
    digits += 1
  }
  return count < NUMBERS_MIN ? 0 : count
}

/** Negative: none. */
function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  return code >= 0x61 && code <= 0x7a ? code - 0x61 + 10 : -1
}

function malformed(index: number): MillraceError {
  return new MillraceError(
    'malformed_ack_id',
    'This is not an ack id: pass back the `ack_id` of a received message, unchanged.',
    { errors: [{ pointer: `/${index}`, detail: 'not an ack id' }] },
  )
}
