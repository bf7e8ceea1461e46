import { MillraceError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Consumer } from '../queue/consumer.ts'
import type { QueueService } from '../queue/queue-service.ts'
import type { PushConfig } from '../storage/schema-types.ts'
import { Backlog, listMessages, type HeldMessage, type Shipment } from './backlog.ts'
import type { BreakerLimits } from './breaker.ts'
import type { Clock } from './clock.ts'
import type { Post, PushAnswer } from './endpoint-client.ts'
import { EndpointHealth } from './endpoint-health.ts'
import type { Verdict } from './judge-answer.ts'
import { leaseMsOf, LeaseKeeper } from './lease-keeper.ts'
import { judgeOutcome, postShipment, type PostOptions, type Sent } from './post-shipment.ts'
import type { PushFailure } from './push-failure.ts'
import type { PushObserver } from './push-observer.ts'
import type { PushSecrets } from './push-secrets.ts'
import { RateLimit } from './rate-limit.ts'
import { Settler } from './settler.ts'
import { listFailedGroups, returnMessage, settleShipment } from './settle-shipment.ts'
import { Throughput } from './throughput.ts'

export interface PushWorkerOptions {
  queue: Pick<QueueService, 'receive' | 'settle'>
  consumer: Consumer
  push: PushConfig
  secrets: PushSecrets
  /** Sends to the consumer's endpoint; `close` ends what is under way. */
  endpoint: { post: Post; close: () => Promise<void> }
  /** After a 410. */
  pause: (reason: string) => Promise<void>
  clock: Clock
  logger: Logger
  observer: PushObserver
  userAgent: string
  /** Shown to operators beside the leases. */
  label: string
  breaker?: Partial<BreakerLimits>
}

const WATCH_MS = 2000
const RECEIVE_WAIT_MS = 20_000
const RECEIVE_BYTES_MAX = 4 * 1024 * 1024
const RECEIVE_COUNT_MAX = 500
const RECEIVE_RETRY_MS = 1000
/** Messages that wait here; a hot group's tail is part of them. */
const BACKLOG_BYTES_MAX = 16 * 1024 * 1024
const BACKLOG_COUNT_MAX = 10_000
/** Messages are leased for so much time of sending ahead. */
const AHEAD_MS = 200
/** With a rate, never more than it lets through in this time. */
const RATED_AHEAD_MS = 2000
/** An endpoint that rests for longer than this gets its messages taken back to the queue. */
const HOLD_MS_MAX = 2000
const DRAIN_MS_MAX = 10_000

/**
 * Pushes one consumer's messages: leases a few ahead, POSTs them, and settles by
 * the answer. It keeps nothing that is not in the queue, so it may be killed at
 * any time: what it had leased comes again, with the same `webhook-id`.
 */
export class PushWorker {
  readonly #options: PushWorkerOptions
  readonly #backlog = new Backlog()
  readonly #health: EndpointHealth
  readonly #rate: RateLimit
  readonly #settler: Settler
  readonly #throughput: Throughput
  readonly #postOptions: PostOptions
  readonly #leases: LeaseKeeper
  readonly #stopping = new AbortController()
  /** Requests under way. */
  #sendingCount = 0
  /** Called when the last request is over. */
  #onIdle: (() => void) | undefined
  #consumer: Consumer
  #receiving: Promise<void> | undefined
  #stopped: Promise<void> | undefined
  /** Wakes the receive loop, which waits for room or for the endpoint. */
  #wake: () => void = () => {}
  #cancelPump: (() => void) | undefined
  #isPumpPlanned = false
  #cancelWatch: (() => void) | undefined

  constructor(options: PushWorkerOptions) {
    const { clock, push, logger, observer, secrets, userAgent, breaker } = options
    const consumer = (): Consumer => this.#consumer
    this.#options = options
    this.#consumer = options.consumer
    this.#health = new EndpointHealth({ clock, logger, observer, consumer, breaker })
    this.#rate = new RateLimit(clock, push.rate_per_second)
    this.#throughput = new Throughput(clock)
    this.#postOptions = {
      post: options.endpoint.post,
      isBatch: push.batch_size > 1,
      secrets,
      clock,
      userAgent,
      onRequest: (outcome) => observer.onRequest?.(this.#consumer, outcome),
    }
    this.#settler = new Settler({
      queue: options.queue,
      clock,
      consumer,
      giveUpMs: leaseMsOf(push.timeout_ms),
      onError: (error, givenUp) =>
        logger.warn(givenUp ? 'push results were given up' : 'push results were not stored yet', {
          consumer: this.#consumer.name,
          error,
        }),
    })
    this.#leases = new LeaseKeeper({ clock, settler: this.#settler, timeoutMs: push.timeout_ms })
  }

  start(): void {
    if (this.#receiving || this.#stopped) return
    this.#receiving = this.#receiveLoop()
    this.#watch()
  }

  /** The consumer's settings changed in something that push does not depend on. */
  setConsumer(consumer: Consumer): void {
    this.#consumer = consumer
  }

  /** Lets requests end, for a while; then all leased messages are settled or given back. */
  stop(): Promise<void> {
    this.#stopped ??= this.#drain()
    return this.#stopped
  }

  async #drain(): Promise<void> {
    const { clock, endpoint } = this.#options
    this.#stopping.abort()
    this.#cancelPump?.()
    this.#cancelWatch?.()
    this.#wake()
    await this.#receiving
    this.#returnBacklog()
    const cancel = clock.setTimer(DRAIN_MS_MAX, () => void endpoint.close())
    await this.#untilIdle()
    cancel()
    await endpoint.close()
    await this.#settler.flush()
    this.#health.stop()
  }

  #untilIdle(): Promise<void> {
    if (this.#sendingCount === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onIdle = resolve
    })
  }

  async #receiveLoop(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      // Looked at once: a rest that ended between two looks would leave nothing to wait for.
      const { restMs } = this.#health
      const count = this.#countWanted(restMs)
      if (count === 0) {
        await this.#sleep(restMs > 0 ? restMs : Infinity)
        continue
      }
      try {
        await this.#receive(count)
      } catch (error) {
        if (signal.aborted) return
        const isFinal =
          error instanceof MillraceError && ['draining', 'not_found'].includes(error.code)
        if (!isFinal) {
          const { logger } = this.#options
          logger.warn('push could not receive', { consumer: this.#consumer.name, error })
        }
        await this.#sleep(RECEIVE_RETRY_MS)
      }
    }
  }

  async #receive(count: number): Promise<void> {
    const { queue, label } = this.#options
    const received = await queue.receive(this.#consumer, {
      batchSize: count,
      waitMs: RECEIVE_WAIT_MS,
      visibilityTimeoutMs: this.#leases.leaseMs,
      maxBytes: RECEIVE_BYTES_MAX,
      worker: label,
      signal: this.#stopping.signal,
    })
    if (received.messages.length === 0) return
    if (this.#stopping.signal.aborted) await received.giveBack()
    else {
      this.#backlog.add(this.#leases.hold(received.messages))
      this.#pump()
    }
  }

  /**
   * As many as can be sent soon: the free slots, and a little ahead. 0: none before the
   * rest is over, or, without a rest, before a request ends, which `#pump` tells.
   */
  #countWanted(restMs: number): number {
    const { push } = this.#options
    const { size, readyCount, bytes } = this.#backlog
    if (restMs > HOLD_MS_MAX) return 0
    // An endpoint in doubt gets one message, and the rest stays where others can see it.
    if (!this.#health.isGood) return size + this.#sendingCount === 0 && restMs === 0 ? 1 : 0
    if (bytes >= BACKLOG_BYTES_MAX || size >= BACKLOG_COUNT_MAX) return 0
    const ahead = Math.max(push.max_in_flight, this.#throughput.perSecond * (AHEAD_MS / 1000))
    const free = (push.max_in_flight - this.#sendingCount) * push.batch_size
    const wanted = Math.ceil(free + ahead) - readyCount
    const inTime = (push.rate_per_second ?? Infinity) * (RATED_AHEAD_MS / 1000) * push.batch_size
    // Not one by one: a claim costs the queue the same for one message as for hundreds.
    if (readyCount > Math.min(ahead, inTime) / 2) return 0
    return Math.min(wanted, Math.max(Math.ceil(inTime), 1), RECEIVE_COUNT_MAX)
  }

  /** Until the time has passed or `#wake` is called. */
  #sleep(ms: number): Promise<void> {
    if (this.#stopping.signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const cancel = ms === Infinity ? undefined : this.#options.clock.setTimer(ms, resolve)
      this.#wake = () => {
        cancel?.()
        resolve()
      }
    })
  }

  /** When undici is done with what it told us of, and once for all that it tells in this turn. */
  #pumpSoon(): void {
    if (this.#isPumpPlanned) return
    this.#isPumpPlanned = true
    setImmediate(() => {
      this.#isPumpPlanned = false
      this.#pump()
    })
  }

  /** Sends what may be sent now, and sees to it that it is called when more may be. */
  #pump(): void {
    const { push, clock } = this.#options
    this.#cancelPump?.()
    this.#cancelPump = undefined
    while (this.#sendingCount < push.max_in_flight && this.#backlog.readyCount > 0) {
      if (this.#stopping.signal.aborted) return
      const rest = this.#health.restMs
      if (rest > HOLD_MS_MAX) this.#returnBacklog()
      const wait = Math.max(rest, this.#rate.waitMs)
      if (wait > 0) {
        if (wait < Infinity) this.#cancelPump = clock.setTimer(wait, () => this.#pump())
        break
      }
      const isProbe = this.#health.enter()
      this.#rate.take()
      const shipment = this.#backlog.take(isProbe ? 1 : push.batch_size)
      if (shipment) this.#dispatch(shipment, isProbe)
    }
    // A free slot and nothing to send: what is free again once the results are stored may be next.
    if (this.#sendingCount < push.max_in_flight && this.#backlog.readyCount === 0) {
      this.#settler.hurry()
    }
    const { restMs } = this.#health
    if (restMs > 0 || this.#countWanted(restMs) > 0) this.#wake()
  }

  #dispatch(shipment: Shipment, isProbe: boolean): void {
    this.#sendingCount++
    const late = this.#leases.listLate(shipment)
    if (late.length === 0) {
      this.#send(shipment, isProbe)
      return
    }
    this.#keepLeased(shipment, late).then(
      (isKept) => {
        if (isKept) {
          this.#send(shipment, isProbe)
          return
        }
        this.#takeBack(shipment, isProbe)
        this.#release(shipment)
        this.#pumpSoon()
      },
      (error: unknown) => this.#onBug(shipment, isProbe, error),
    )
  }

  #send(shipment: Shipment, isProbe: boolean): void {
    try {
      postShipment(shipment, this.#postOptions, (outcome, sent) =>
        this.#onOutcome(shipment, isProbe, outcome, sent),
      )
    } catch (error) {
      this.#onBug(shipment, isProbe, error)
    }
  }

  #onOutcome(
    shipment: Shipment,
    isProbe: boolean,
    outcome: PushAnswer | PushFailure,
    sent: Sent,
  ): void {
    let verdict: Verdict | undefined
    try {
      verdict = judgeOutcome(outcome, sent, this.#postOptions)
      if (verdict) this.#conclude(shipment, verdict, isProbe)
      else this.#takeBack(shipment, isProbe)
    } catch (error) {
      this.#onBug(shipment, isProbe, error)
      return
    }
    this.#release(shipment)
    // At once, while undici still holds the connection: one that fell idle it would look at first.
    if (verdict?.kind === 'ack') this.#pump()
    else this.#pumpSoon()
  }

  /** Its messages come again when their lease ends, and the log has the cause. */
  #onBug(shipment: Shipment, isProbe: boolean, error: unknown): void {
    if (isProbe) this.#health.cancelProbe()
    this.#options.logger.error('push failed', { consumer: this.#consumer.name, error })
    this.#release(shipment)
    this.#pumpSoon()
  }

  #release(shipment: Shipment): void {
    this.#sendingCount--
    this.#backlog.release(shipment)
    if (this.#sendingCount === 0) this.#onIdle?.()
  }

  /** Neither an attempt nor a failure: it was not sent, or we ended the request ourselves. */
  #takeBack(shipment: Shipment, isProbe: boolean): void {
    if (isProbe) this.#health.cancelProbe()
    this.#giveBack(listMessages(shipment))
  }

  #conclude(shipment: Shipment, verdict: Verdict, isProbe: boolean): void {
    if (verdict.kind === 'ack' || verdict.kind === 'partial') {
      for (const { messages } of shipment.parts) this.#throughput.add(messages.length)
    } else if (verdict.kind === 'gone') {
      this.#pause(verdict.reason)
    }
    this.#health.note(verdict, isProbe)
    this.#settle(shipment, verdict, isProbe)
  }

  #settle(shipment: Shipment, verdict: Verdict, isProbe: boolean): void {
    // In one call with what failed: else the queue could hand on what comes after it.
    const settlements = settleShipment(shipment, verdict, isProbe)
    for (const group of listFailedGroups(shipment, verdict)) {
      for (const held of this.#backlog.drop(group)) settlements.push(returnMessage(held))
    }
    this.#settler.settleSoon(settlements)
  }

  #pause(reason: string): void {
    const { logger, pause } = this.#options
    const consumer = this.#consumer.name
    logger.warn('the endpoint is gone: the consumer is paused', { consumer, reason })
    pause(reason).catch((error: unknown) =>
      logger.error('the consumer could not be paused', { consumer, error }),
    )
  }

  /** Makes sure of the lease for the whole of a request; false: all of it is lost. */
  async #keepLeased(shipment: Shipment, late: readonly HeldMessage[]): Promise<boolean> {
    await this.#leases.extend(late)
    const lost = new Set(this.#leases.listLate(shipment))
    for (const part of shipment.parts) {
      const from = part.messages.findIndex((held) => lost.has(held))
      if (from === -1) continue
      // What follows a lost message would overtake it.
      this.#giveBack([...part.messages.splice(from), ...this.#backlog.drop(part.group)])
    }
    return shipment.parts.some(({ messages }) => messages.length > 0)
  }

  #returnBacklog(): void {
    this.#giveBack(this.#backlog.dropAll())
  }

  #giveBack(messages: readonly HeldMessage[]): void {
    this.#settler.settleSoon(messages.map((held) => returnMessage(held)))
    this.#settler.hurry()
  }

  #watch(): void {
    const { clock, push } = this.#options
    this.#cancelWatch = clock.setTimer(WATCH_MS, () => {
      const soon = clock.now() + push.timeout_ms + 2 * WATCH_MS
      void this.#leases.extend(this.#backlog.listExpiring(soon))
      this.#health.check()
      this.#watch()
    })
  }
}
