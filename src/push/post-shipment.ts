import type { Shipment } from './backlog.ts'
import type { Clock } from './clock.ts'
import type { Post } from './endpoint-client.ts'
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

/** POSTs the messages and says what the answer means; undefined: we ended the request ourselves. */
export async function postShipment(
  shipment: Shipment,
  options: PostOptions,
): Promise<Verdict | undefined> {
  const { post, isBatch, secrets, clock, userAgent, onRequest } = options
  const { id, text, attempt, batch } = isBatch ? joinAll(shipment) : takeOnly(shipment)
  const request = signRequest(text, { secrets, id, attempt, nowMs: clock.now(), userAgent })

  const begun = performance.now()
  const report = (codeClass: RequestOutcome['codeClass']): void =>
    onRequest({ codeClass, durationMs: performance.now() - begun, messages: batch?.length ?? 1 })
  try {
    const answer = await post(request)
    report(`${Math.floor(answer.status / 100)}xx`)
    return judgeAnswer(answer, batch, clock.now())
  } catch (error) {
    if (!(error instanceof PushFailure)) throw error
    report(error.kind)
    return error.kind === 'aborted' ? undefined : judgeFailure(error)
  }
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

function joinAll({ parts }: Shipment): Content {
  const held = parts.flatMap(({ messages }) => messages)
  const batch = held.map(({ message }) => message.idempotencyKey)
  return {
    id: batchId(batch),
    text: `{"data":[${held.map(({ message }) => message.toPushJson()).join(',')}]}`,
    attempt: Math.max(...held.map(({ message }) => message.attempt)),
    batch,
  }
}
