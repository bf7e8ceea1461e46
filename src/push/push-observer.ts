import type { Consumer } from '../queue/consumer.ts'
import type { PushFailureKind } from './push-failure.ts'

/** One request, as metrics want it. */
export interface RequestOutcome {
  /** `2xx` to `5xx`, or where it failed. */
  codeClass: `${number}xx` | PushFailureKind
  durationMs: number
  messages: number
}

export interface EndpointAlarm {
  failingSince: Date
  /** The last failure. */
  reason: string
}

/** What push tells of itself besides its log lines. */
export interface PushObserver {
  onRequest?(consumer: Consumer, outcome: RequestOutcome): void
  onBreaker?(consumer: Consumer, isOpen: boolean): void
  /** The endpoint has failed for long; again every hour while it does. */
  onAlarm?(consumer: Consumer, alarm: EndpointAlarm): void
}
