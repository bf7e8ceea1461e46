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

/** POSTs the messages and says what the answer means; undefined: we ended the request ourselves. */
export async function postShipment(
  shipment: Shipment,
  options: PostOptions,
): Promise<Verdict | undefined> {
  const { post, isBatch, secrets, clock, userAgent, onRequest } = options
  const held = shipment.parts.flatMap(({ messages }) => messages)
  const ids = held.map(({ message }) => message.idempotencyKey)
  const bodies = held.map((message) => message.body)
  const body = Buffer.from(isBatch ? `{"data":[${bodies.join(',')}]}` : bodies[0]!)
  const headers = signRequest(body, {
    secrets,
    id: isBatch ? batchId(ids) : ids[0]!,
    attempt: Math.max(...held.map(({ message }) => message.attempt)),
    now: new Date(clock.now()),
    userAgent,
  })

  const begun = performance.now()
  const report = (codeClass: RequestOutcome['codeClass']): void =>
    onRequest({ codeClass, durationMs: performance.now() - begun, messages: held.length })
  try {
    const answer = await post({ headers, body })
    report(`${Math.floor(answer.status / 100)}xx`)
    return judgeAnswer(answer, isBatch, clock.now())
  } catch (error) {
    if (!(error instanceof PushFailure)) throw error
    report(error.kind)
    return error.kind === 'aborted' ? undefined : judgeFailure(error)
  }
}
