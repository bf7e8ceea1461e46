import type { Logger } from '../log.ts'
import { pauseConsumer } from '../queue/consumer-store.ts'
import type { QueueService } from '../queue/queue-service.ts'
import type { Database } from '../storage/database.ts'
import type { AddressGuard } from './address-guard.ts'
import type { BreakerLimits } from './breaker.ts'
import { systemClock, type Clock } from './clock.ts'
import { EndpointClient } from './endpoint-client.ts'
import type { Resolve } from './guarded-connect.ts'
import { listPushConsumers, openSecrets, type PushConsumer } from './open-push-consumer.ts'
import type { PushObserver } from './push-observer.ts'
import { PushShare } from './push-share.ts'
import { PushWorker } from './push-worker.ts'

export interface PushWorkersOptions {
  database: Database
  queue: Pick<QueueService, 'receive' | 'settle'>
  logger: Logger
  guard: AddressGuard
  /** Opens the headers and secrets of consumers. */
  secretKey: Buffer | undefined
  /** As in `Millrace/1.2.3`. */
  userAgent: string
  /** Names this process beside its leases. */
  label?: string
  observer?: PushObserver
  clock?: Clock
  resolve?: Resolve
  breaker?: Partial<BreakerLimits>
  /** Consumers are looked at this often even if nobody said that they changed. */
  refreshMs?: number
}

interface Running {
  fingerprint: string
  /** Undefined: its settings cannot be used, which the log says. */
  worker: PushWorker | undefined
}

const REFRESH_MS = 5000

/**
 * A worker for each push consumer that falls to this process. Any number of
 * processes may run it: they share the consumers evenly and take over from those
 * that are gone.
 */
export class PushWorkers {
  readonly #options: PushWorkersOptions
  readonly #running = new Map<number, Running>()
  #share: PushShare | undefined
  #timer: NodeJS.Timeout | undefined
  #refreshing: Promise<void> | undefined
  #isStale = false
  #isStarted = false
  #stopped: Promise<void> | undefined

  constructor(options: PushWorkersOptions) {
    this.#options = options
  }

  /** Resolves when the consumers were looked at once. */
  async start(): Promise<void> {
    if (this.#isStarted || this.#stopped) return
    this.#isStarted = true
    await this.refresh()
  }

  /** Lets requests end, gives the rest back, and leaves the consumers to others. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  /** Looks at the consumers anew; never throws. */
  refresh(): Promise<void> {
    // Whoever asks during a look wants what changed since it began.
    this.#isStale = true
    this.#refreshing ??= this.#refreshWhileStale()
    return this.#refreshing
  }

  async #stop(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#refreshing
    await this.#stopAll()
    await this.#share?.close()
  }

  async #refreshWhileStale(): Promise<void> {
    clearTimeout(this.#timer)
    while (this.#isStale && !this.#stopped) {
      this.#isStale = false
      try {
        await this.#rebalance()
      } catch (error) {
        this.#options.logger.warn('push consumers could not be read', { error })
      }
    }
    this.#refreshing = undefined
    if (this.#stopped) return
    this.#timer = setTimeout(() => void this.refresh(), this.#options.refreshMs ?? REFRESH_MS)
  }

  async #rebalance(): Promise<void> {
    const consumers = await listPushConsumers(this.#options.database.db)
    const share = (this.#share ??= await this.#openShare())
    const quota = await share.countQuota(consumers.length)
    const wanted = new Set(consumers.map(({ consumer }) => consumer.consumerNo))

    const surplus = [...share.claimed].filter((consumerNo) => !wanted.has(consumerNo))
    const kept = [...share.claimed].filter((consumerNo) => wanted.has(consumerNo))
    await Promise.all([...surplus, ...kept.slice(quota)].map((no) => this.#leave(share, no)))

    for (const pushConsumer of consumers) {
      const { consumerNo } = pushConsumer.consumer
      const isOurs =
        share.claimed.has(consumerNo) ||
        (share.claimed.size < quota && (await share.claim(consumerNo)))
      if (isOurs && !this.#stopped) await this.#serve(pushConsumer)
    }
  }

  #openShare(): Promise<PushShare> {
    return PushShare.open({
      url: this.#options.database.url,
      onConfig: () => void this.refresh(),
      onBroken: () => void this.#losePart(),
    })
  }

  /** Others may claim what was ours: stop, and claim again. */
  async #losePart(): Promise<void> {
    const share = this.#share
    this.#share = undefined
    await share?.close()
    await this.#refreshing
    if (this.#stopped) return
    await this.#stopAll()
    await this.refresh()
  }

  async #leave(share: PushShare, consumerNo: number): Promise<void> {
    await this.#stopOne(consumerNo)
    await share.release(consumerNo)
  }

  async #stopAll(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((consumerNo) => this.#stopOne(consumerNo)))
  }

  async #stopOne(consumerNo: number): Promise<void> {
    const running = this.#running.get(consumerNo)
    this.#running.delete(consumerNo)
    await running?.worker?.stop()
  }

  async #serve(pushConsumer: PushConsumer): Promise<void> {
    const { consumer, push, sealed } = pushConsumer
    const fingerprint = JSON.stringify([consumer.id, push, sealed?.toString('base64')])
    const running = this.#running.get(consumer.consumerNo)
    if (running?.fingerprint === fingerprint) {
      running.worker?.setConsumer(consumer)
      return
    }
    await this.#stopOne(consumer.consumerNo)
    const worker = this.#createWorker(pushConsumer)
    this.#running.set(consumer.consumerNo, { fingerprint, worker })
    worker?.start()
  }

  #createWorker({ consumer, push, sealed }: PushConsumer): PushWorker | undefined {
    const { database, queue, logger, guard, secretKey, resolve, observer, clock, breaker } =
      this.#options
    try {
      const secrets = openSecrets(consumer, sealed, secretKey)
      const endpoint = new EndpointClient({
        guard,
        url: push.url,
        timeoutMs: push.timeout_ms,
        connectionsMax: push.max_in_flight,
        allowHttp: push.allow_http,
        ...(resolve ? { resolve } : {}),
      })
      return new PushWorker({
        queue,
        consumer,
        push,
        secrets,
        endpoint,
        pause: async (reason) => {
          await pauseConsumer(database.db, consumer.id, { reason })
        },
        clock: clock ?? systemClock,
        logger,
        observer: observer ?? {},
        userAgent: this.#options.userAgent,
        label: this.#options.label ?? 'push',
        ...(breaker ? { breaker } : {}),
      })
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      logger.error('push cannot serve the consumer', { consumer: consumer.name, reason })
      return undefined
    }
  }
}
