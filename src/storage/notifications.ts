import pg from 'pg'

/** A source's log grew: `<source_no>:<last seq>`. */
export const LOG_CHANNEL = 'millrace_log'
/** Sources, consumers or tokens changed. */
export const CONFIG_CHANNEL = 'millrace_config'
/** A consumer's queue changed in a way that others may wait for: `<consumer_no>`. */
export const WAKE_CHANNEL = 'millrace_wake'
/** The storage's clock was set; only tests do that. */
export const CLOCK_CHANNEL = 'millrace_clock'

type Channel =
  | typeof LOG_CHANNEL
  | typeof CONFIG_CHANNEL
  | typeof WAKE_CHANNEL
  | typeof CLOCK_CHANNEL

const RECONNECT_MS_MIN = 100
const RECONNECT_MS_MAX = 5000

interface NotificationsOptions {
  url: string
  onNotification: (channel: Channel, payload: string) => void
  /** Listening began, again or for the first time: what came before is unknown. */
  onListening: () => void
}

/** One connection that listens for this process, made anew whenever it breaks. */
export class Notifications {
  readonly #options: NotificationsOptions
  #client: pg.Client | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #delayMs = RECONNECT_MS_MIN

  constructor(options: NotificationsOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    await this.#connect()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#client?.end().catch(() => undefined)
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#options.url,
      application_name: 'millrace listen',
      keepAlive: true,
      connectionTimeoutMillis: 10_000,
    })
    this.#client = client
    let isBroken = false
    const onBroken = (): void => {
      if (isBroken || this.#stopped) return
      isBroken = true
      client.end().catch(() => undefined)
      this.#reconnectLater()
    }
    client.on('error', onBroken)
    client.on('end', onBroken)
    client.on('notification', ({ channel, payload }) => {
      this.#options.onNotification(channel as Channel, payload ?? '')
    })
    try {
      await client.connect()
      await client.query(
        `listen ${LOG_CHANNEL}; listen ${CONFIG_CHANNEL}; listen ${WAKE_CHANNEL}; listen ${CLOCK_CHANNEL}`,
      )
      this.#delayMs = RECONNECT_MS_MIN
      this.#options.onListening()
    } catch {
      onBroken()
    }
  }

  #reconnectLater(): void {
    this.#timer = setTimeout(() => void this.#connect(), this.#delayMs)
    this.#delayMs = Math.min(this.#delayMs * 2, RECONNECT_MS_MAX)
  }
}
