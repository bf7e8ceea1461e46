import type { Logger } from '../log.ts'
import type { Consumer } from '../queue/consumer.ts'
import { Breaker, type BreakerLimits } from './breaker.ts'
import type { Clock } from './clock.ts'
import { AlarmBell } from './endpoint-alarm.ts'
import type { Verdict } from './judge-answer.ts'
import type { PushObserver } from './push-observer.ts'
import { Rest } from './rest.ts'

export interface EndpointHealthOptions {
  clock: Clock
  logger: Logger
  observer: PushObserver
  consumer: () => Consumer
  breaker?: Partial<BreakerLimits> | undefined
}

/** After a 410. */
const GONE_REST_MS = 5000

/**
 * What the last answers say of an endpoint: whether and when it may be sent to. Tells
 * the log and the observer when that changes, and when it has failed for long.
 */
export class EndpointHealth {
  readonly #options: EndpointHealthOptions
  readonly #breaker: Breaker
  readonly #alarm: AlarmBell
  /** That the endpoint asked for. */
  #rest: Rest | undefined
  #lastReason = ''

  constructor(options: EndpointHealthOptions) {
    const { clock, logger, observer, consumer, breaker } = options
    this.#options = options
    this.#breaker = new Breaker(clock, breaker)
    this.#alarm = new AlarmBell(clock, (alarm) => {
      logger.error('the endpoint has failed for long', {
        consumer: consumer().name,
        failing_since: alarm.failingSince,
        reason: alarm.reason,
      })
      observer.onAlarm?.(consumer(), alarm)
    })
  }

  /** False: it gets one request at a time, which probes it. */
  get isGood(): boolean {
    return this.#breaker.isClosed
  }

  /** Ms for which it is to be left alone; Infinity: until the probe's outcome. */
  get restMs(): number {
    const { waitMs } = this.#breaker
    return this.#rest ? Math.max(this.#rest.leftMs, waitMs) : waitMs
  }

  /** A request goes out now. True: it is the one probe. */
  enter(): boolean {
    return this.#breaker.enter()
  }

  /** The probe was not sent, or was aborted: another may go. */
  cancelProbe(): void {
    this.#breaker.cancelProbe()
  }

  note(verdict: Verdict, wasProbe: boolean): void {
    const wasGood = this.isGood
    switch (verdict.kind) {
      case 'ack':
      case 'partial':
        this.#breaker.succeed(wasProbe)
        break
      case 'fail':
        this.#breaker.fail(wasProbe)
        break
      case 'slow':
        this.#breaker.defer(wasProbe)
        this.#restFor(verdict.delayMs)
        break
      case 'gone':
        this.#breaker.defer(wasProbe)
        this.#restFor(GONE_REST_MS)
    }
    if ('reason' in verdict) this.#lastReason = verdict.reason
    if (this.isGood !== wasGood) this.#tell()
  }

  /** To be called now and then: has it failed for long? */
  check(): void {
    this.#alarm.check(this.#breaker.failingSinceMs, this.#lastReason)
  }

  /** Nobody sends to it any more. */
  stop(): void {
    const { observer, consumer } = this.#options
    if (!this.isGood) observer.onBreaker?.(consumer(), false)
  }

  #restFor(ms: number): void {
    if (ms > (this.#rest?.leftMs ?? 0)) this.#rest = new Rest(this.#options.clock, ms)
  }

  #tell(): void {
    const { logger, observer, consumer } = this.#options
    const { name } = consumer()
    if (this.isGood) {
      logger.info('the endpoint answers again', { consumer: name })
    } else {
      logger.warn('the endpoint fails: it gets one request at a time until it answers', {
        consumer: name,
        reason: this.#lastReason,
      })
    }
    observer.onBreaker?.(consumer(), !this.isGood)
  }
}
