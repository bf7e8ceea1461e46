import { listMessages, type Shipment } from './backlog.ts'
import type { Clock } from './clock.ts'
import type { Post, PushAnswer } from './endpoint-client.ts'
import { judgeAnswer, judgeFailure, type Verdict } from './judge-answer.ts'
import { PushFailure } from './push-failure.ts'
import type { RequestOutcome } from './push-observer.ts'
import type { PushSecrets } from './push-secrets.ts'
import { batchId, signRequest } from './sign-request.ts'

export interface PostOptions {
  post: Post
  /** More than one message may be in a request, so the body is `{"data": […]}`. */
  isBatch: boolean
  secrets: PushSecrets
  clock: Clock
  userAgent: string
  onRequest: (outcome: RequestOutcome) => void
}

/** What a request carries, but for its headers. */
interface Content {
  /** `webhook-id`. */
  id: string
  text: string
  /** The highest of its messages. */
  attempt: number
  /** Of the messages where it is a batch, else null. */
  batch: readonly string[] | null
}

/** A request that is under way. */
export interface Sent {
  /** Ids of its messages where it is a batch, else null. */
  readonly batch: readonly string[] | null
  /** By `performance.now()`. */
  readonly begunMs: number
}

/** POSTs the messages; the outcome comes as `Post` says. */
export function postShipment(
  shipment: Shipment,
  { post, isBatch, secrets, clock, userAgent }: PostOptions,
  onOutcome: (outcome: PushAnswer | PushFailure, sent: Sent) => void,
): void {
  const { id, text, attempt, batch } = isBatch ? joinAll(shipment) : takeOnly(shipment)
  const request = signRequest(text, { secrets, id, attempt, nowMs: clock.now(), userAgent })
  const sent = { batch, begunMs: performance.now() }
  post(request, (outcome) => onOutcome(outcome, sent))
}

/** Reports an outcome, and says what it means; undefined: we ended the request ourselves. */
export function judgeOutcome(
  outcome: PushAnswer | PushFailure,
  { batch, begunMs }: Sent,
  { clock, onRequest }: PostOptions,
): Verdict | undefined {
  const durationMs = performance.now() - begunMs
  const messages = batch?.length ?? 1
  if (outcome instanceof PushFailure) {
    onRequest({ codeClass: outcome.kind, durationMs, messages })
    return outcome.kind === 'aborted' ? undefined : judgeFailure(outcome)
  }
  onRequest({ codeClass: classOf(outcome.status), durationMs, messages })
  return judgeAnswer(outcome, batch, clock.now())
}

function classOf(status: number): RequestOutcome['codeClass'] {
  return status >= 200 && status < 300 ? '2xx' : `${Math.floor(status / 100)}xx`
}

function takeOnly({ parts }: Shipment): Content {
  const { message } = parts[0]!.messages[0]!
  return {
    id: message.idempotencyKey,
    text: message.toPushJson(),
    attempt: message.attempt,
    batch: null,
  }
}

function joinAll(shipment: Shipment): Content {
  const held = listMessages(shipment)
  const batch = held.map(({ message }) => message.idempotencyKey)
  return {
    id: batchId(batch),
    text: `{"data":[${held.map(({ message }) => message.toPushJson()).join(',')}]}`,
    attempt: Math.max(...held.map(({ message }) => message.attempt)),
    batch,
  }
}
