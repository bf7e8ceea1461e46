import { setTimeout as delay } from 'node:timers/promises'

import { MillraceError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Principal } from './auth.ts'
import type { Overview } from './overview.ts'

interface OverviewStreamOptions {
  read: () => Promise<Overview>
  logger: Logger
  /** Then everybody is sent home: an open stream would hold up stopping. */
  isDraining: () => boolean
  /** Between two samples at least, in ms. */
  intervalMs?: number
  viewersMax?: number
}

interface Viewer {
  readonly principal: Principal
  readonly controller: ReadableStreamDefaultController<Uint8Array>
  readonly until: number
}

const INTERVAL_MS = 500
const VIEWERS_MAX = 100
/** Sampling may take up a tenth of the time; a large storage is sampled less often. */
const REST_FACTOR = 9
/** The browser comes back by itself, and its token is checked anew. */
const VIEW_MS = 300_000
/** What new viewers see of the past: a point every 3 s, five minutes back. */
const HISTORY_STEP_MS = 3000
const HISTORY_MAX = 100
/** Sampling goes on so long without viewers: a page that is reloaded finds its history. */
const LINGER_MS = 30_000

const encoder = new TextEncoder()

/**
 * Sends the overview to the consoles that watch, as server-sent events. It is sampled
 * once for all of them, and not at all when nobody watches.
 */
export class OverviewStream {
  readonly #options: OverviewStreamOptions
  readonly #viewers = new Set<Viewer>()
  readonly #history: Overview[] = []
  #isRunning = false

  constructor(options: OverviewStreamOptions) {
    this.#options = options
  }

  /** @throws MillraceError `too_many_waiters` */
  open(principal: Principal): ReadableStream<Uint8Array<ArrayBuffer>> {
    if (this.#viewers.size >= (this.#options.viewersMax ?? VIEWERS_MAX)) {
      throw new MillraceError('too_many_waiters', 'Too many consoles watch this process already.', {
        retryAfterMs: 10_000,
      })
    }
    let viewer: Viewer | undefined
    return new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => {
        viewer = { principal, controller, until: performance.now() + VIEW_MS }
        this.#viewers.add(viewer)
        controller.enqueue(encoder.encode('retry: 2000\n\n'))
        const past = this.#history.map((overview) => narrowOverview(overview, principal))
        if (past.length > 0) controller.enqueue(writeEvent('history', past.map(toPoint)))
        if (!this.#isRunning) void this.#run()
      },
      cancel: () => {
        if (viewer) this.#viewers.delete(viewer)
      },
    })
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    try {
      await this.#sampleWhileWatched()
    } finally {
      this.#isRunning = false
    }
  }

  async #sampleWhileWatched(): Promise<void> {
    const { intervalMs = INTERVAL_MS, isDraining } = this.#options
    let idleSince = Number.POSITIVE_INFINITY
    for (;;) {
      if (isDraining()) return this.#close(() => true)
      const begun = performance.now()
      if (this.#viewers.size > 0) idleSince = begun
      if (begun - idleSince > LINGER_MS) break
      await this.#sample()
      this.#close(({ until }) => until < performance.now())
      const tookMs = performance.now() - begun
      await delay(Math.max(intervalMs, tookMs * REST_FACTOR))
    }
    this.#history.length = 0
  }

  async #sample(): Promise<void> {
    let overview: Overview
    try {
      overview = await this.#options.read()
    } catch (error) {
      // The storage is away: what the console shows grows old, and says so.
      this.#options.logger.debug('the overview could not be read', { error })
      return
    }
    this.#remember(overview)
    let whole: Uint8Array | undefined
    for (const { principal, controller } of this.#viewers) {
      // Who does not keep up gets the next one.
      if ((controller.desiredSize ?? 0) <= 0) continue
      if (principal.consumers === null) {
        whole ??= writeEvent('overview', overview)
        controller.enqueue(whole)
      } else controller.enqueue(writeEvent('overview', narrowOverview(overview, principal)))
    }
  }

  #remember(overview: Overview): void {
    const last = this.#history.at(-1)
    if (last && Date.parse(overview.at) - Date.parse(last.at) < HISTORY_STEP_MS) return
    this.#history.push(overview)
    if (this.#history.length > HISTORY_MAX) this.#history.shift()
  }

  #close(isOver: (viewer: Viewer) => boolean): void {
    for (const viewer of this.#viewers) {
      if (!isOver(viewer)) continue
      this.#viewers.delete(viewer)
      viewer.controller.close()
    }
  }
}

/** What a token may see: sources are for those that are bound to no consumers. */
function narrowOverview(overview: Overview, { consumers }: Principal): Overview {
  if (consumers === null) return overview
  return {
    ...overview,
    sources: [],
    consumers: overview.consumers.filter(({ name }) => consumers.has(name)),
  }
}

/** The past is drawn as lines, which takes a few numbers of each moment. */
function toPoint({ at, sources, consumers }: Overview) {
  return {
    at,
    sources: sources.map(({ id, last_seq }) => [id, last_seq]),
    consumers: consumers.map(({ id, stats: { rates, backlog, latency } }) => [
      id,
      rates.acked,
      backlog,
      latency?.p50_ms ?? null,
      latency?.p95_ms ?? null,
    ]),
  }
}

function writeEvent(event: string, data: unknown): Uint8Array<ArrayBuffer> {
  return encoder.encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
}
