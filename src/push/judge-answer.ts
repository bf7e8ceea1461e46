import type { PushAnswer } from './endpoint-client.ts'
import type { PushFailure, PushFailureKind } from './push-failure.ts'

/** One message of a batch that the receiver did not take. */
export interface FailedMessage {
  delayMs: number | undefined
  reason: string
}

/**
 * What an answer means for the messages of its request.
 *
 * | answer                              | verdict                                       |
 * | ----------------------------------- | --------------------------------------------- |
 * | 2xx                                 | ack                                           |
 * | 2xx to a batch, naming failed ids   | partial: nack those, ack the rest             |
 * | 2xx to a batch that cannot be read, | fail: an ack could drop what the answer names |
 * | or that names what is not in it     |                                               |
 * | 410                                 | gone: the consumer is paused                  |
 * | 429, 503 with `Retry-After`         | slow: nobody is at fault, no attempt counts   |
 * | anything else, or no answer         | fail                                          |
 */
export type Verdict =
  | { kind: 'ack' }
  | { kind: 'partial'; failed: ReadonlyMap<string, FailedMessage> }
  | { kind: 'gone'; reason: string }
  | { kind: 'slow'; delayMs: number; reason: string }
  | {
      kind: 'fail'
      reason: string
      /**
       * The endpoint is not there at all. Anything else may be about the message: a
       * handler that crashes on it answers 500, one that chokes on it hangs.
       */
      isEndpointDown: boolean
    }

/** Of the reason kept with an attempt. */
const REASON_BYTES_MAX = 2048
const RETRY_AFTER_MS_MIN = 1000
const RETRY_AFTER_MS_MAX = 3_600_000
const BATCH_DELAY_MS_MAX = 12 * 3_600_000

const DOWN_STATUSES: ReadonlySet<number> = new Set([502, 503, 504])
const UNDECIDED: ReadonlySet<PushFailureKind> = new Set(['timeout', 'closed', 'protocol'])

/** @param batch the ids of the messages in the request; null: it was one message, not a batch */
export function judgeAnswer(
  answer: PushAnswer,
  batch: readonly string[] | null,
  nowMs: number,
): Verdict {
  const { status } = answer
  if (status >= 200 && status < 300) return batch ? judgeBatch(answer, batch) : { kind: 'ack' }

  const reason = describeAnswer(answer)
  if (status === 410) return { kind: 'gone', reason }
  if (status === 429 || status === 503) {
    const delayMs = parseRetryAfter(answer.retryAfter, nowMs)
    if (delayMs !== undefined) return { kind: 'slow', delayMs, reason }
    // To be told to slow down without being told for how long is still no fault of the message.
    if (status === 429) return { kind: 'slow', delayMs: RETRY_AFTER_MS_MIN, reason }
  }
  return { kind: 'fail', reason, isEndpointDown: DOWN_STATUSES.has(status) }
}

export function judgeFailure(failure: PushFailure): Verdict {
  return {
    kind: 'fail',
    reason: cutReason(`${failure.kind}: ${failure.message}`),
    isEndpointDown: !UNDECIDED.has(failure.kind),
  }
}

/** What an operator reads beside the attempt. */
export function describeAnswer(answer: PushAnswer): string {
  const { status, body, location } = answer
  if (status >= 300 && status < 400) {
    return cutReason(`answered ${status} to ${location ?? 'nowhere'}; redirects are not followed`)
  }
  return cutReason(body === '' ? `answered ${status}` : `answered ${status}: ${body}`)
}

/** Seconds or an HTTP date (RFC 9110, 10.2.3), kept within bounds; undefined: neither. */
function parseRetryAfter(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined
  const ms = /^\d{1,10}$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - nowMs
  if (Number.isNaN(ms)) return undefined
  return Math.min(Math.max(ms, RETRY_AFTER_MS_MIN), RETRY_AFTER_MS_MAX)
}

function judgeBatch(answer: PushAnswer, batch: readonly string[]): Verdict {
  if (answer.isCut) {
    const reason = 'the answer to the batch is too long to find the failed messages in it'
    return { kind: 'fail', reason, isEndpointDown: false }
  }
  const failed = readFailed(answer.body)
  if (failed === 'malformed') {
    const reason = cutReason(
      `"failed" in the answer is not [{"id", "delay", "reason"}]: ${answer.body}`,
    )
    return { kind: 'fail', reason, isEndpointDown: false }
  }
  if (failed.size === 0) return { kind: 'ack' }
  const known = new Set(batch)
  const stranger = [...failed.keys()].find((id) => !known.has(id))
  if (stranger === undefined) return { kind: 'partial', failed }
  const reason = cutReason(`"failed" in the answer names "${stranger}", which is not in the batch`)
  return { kind: 'fail', reason, isEndpointDown: false }
}

/** An answer that is no JSON object with `failed` in it has nothing to say: all is well. */
function readFailed(body: string): Map<string, FailedMessage> | 'malformed' {
  let answer: unknown
  try {
    answer = JSON.parse(body)
  } catch {
    return body.includes('"failed"') ? 'malformed' : new Map()
  }
  if (typeof answer !== 'object' || answer === null || !('failed' in answer)) return new Map()
  const { failed } = answer
  if (!Array.isArray(failed)) return failed === null ? new Map() : 'malformed'

  const messages = new Map<string, FailedMessage>()
  for (const item of failed as unknown[]) {
    const entry = typeof item === 'object' && item !== null ? item : {}
    const { id, delay, reason } = entry as { id?: unknown; delay?: unknown; reason?: unknown }
    if (typeof id !== 'string') return 'malformed'
    const text = typeof reason === 'string' ? reason : 'named as failed in the answer to its batch'
    messages.set(id, { delayMs: parseDelay(delay), reason: cutReason(text) })
  }
  return messages
}

/** Milliseconds, or a text such as `20s` and `5m`, as everywhere in the API; undefined: the retry policy. */
function parseDelay(delay: unknown): number | undefined {
  const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
  let ms = typeof delay === 'number' ? delay : Number.NaN
  if (typeof delay === 'string') {
    const [, number, unit = 'ms'] = /^(\d{1,9})(ms|s|m|h)?$/.exec(delay) ?? []
    ms = Number(number) * (UNIT_MS[unit] ?? Number.NaN)
  }
  return Number.isFinite(ms) && ms >= 0 ? Math.min(Math.round(ms), BATCH_DELAY_MS_MAX) : undefined
}

function cutReason(text: string): string {
  // Postgres stores no NUL, and a receiver may send anything.
  const clean = text.replaceAll('\0', '\ufffd')
  const bytes = Buffer.from(clean)
  if (bytes.length <= REASON_BYTES_MAX) return clean
  // Cutting may split a character; its remains are shown as one replacement, which is three bytes.
  return bytes.subarray(0, REASON_BYTES_MAX - 3).toString('utf8')
}
