import { useSyncExternalStore } from './use-store.ts'

export interface LiveSource {
  id: string
  name: string
  state: 'starting' | 'healthy' | 'retrying' | 'needs_attention' | 'paused'
  state_reason: string | null
  state_remedy: string | null
  last_commit_at: string | null
  last_seq: number
  lag_bytes: number | null
}

export interface LiveConsumer {
  id: string
  name: string
  source: string
  mode: 'pull' | 'push'
  paused: boolean
  stats: {
    backlog: number
    leased: number
    retrying: number
    waiting: number
    dead: number
    waiters: number
    oldest_unacked_age_ms: number | null
    rates: { delivered: number; acked: number; nacked: number }
    latency: { p50_ms: number; p95_ms: number } | null
  }
}

interface Overview {
  at: string
  sources: LiveSource[]
  consumers: LiveConsumer[]
}

/** A moment of the past: what lines are drawn of. */
export interface Point {
  /** Milliseconds since 1970. */
  at: number
  /** Acked messages or captured changes per second. */
  rate: number
  backlog: number
  /** From the commit to the ack, in ms: the median, and what 95 of 100 stay below. */
  p50: number | null
  p95: number | null
}

export interface Live {
  /** `late`: the stream is open, and nothing has come for a while. */
  status: 'connecting' | 'live' | 'late' | 'lost'
  overview: Overview | undefined
  /** By id of the consumer or source, the oldest point first. */
  history: ReadonlyMap<string, readonly Point[]>
}

interface PastMoment {
  at: string
  sources: [id: string, lastSeq: number][]
  consumers: [id: string, acked: number, backlog: number, p50: number | null, p95: number | null][]
}

const STEP_MS = 3000
const POINTS_MAX = 100
const RETRY_MS = 5000
/** So long nothing comes only if it cannot be sampled, or if a large storage takes its time. */
const LATE_MS = 30_000
/** A large storage is sampled seldom, and then about as seldom as before. */
const LATE_GAPS = 3
/** A browser opens six connections to a server: tabs that nobody looks at are to take none. */
const HIDDEN_MS = 10_000
/** Nobody watched meanwhile: a line across it would tell something that was not seen. */
const GAP_MS = 60_000

let live: Live = { status: 'connecting', overview: undefined, history: new Map() }
const listeners = new Set<() => void>()
let history = new Map<string, Point[]>()
let lastSeqs = new Map<string, { at: number; seq: number }>()
let lastPointAt = 0
let source: EventSource | undefined
let retryTimer: ReturnType<typeof setTimeout> | undefined
let lateTimer: ReturnType<typeof setTimeout> | undefined
let hiddenTimer: ReturnType<typeof setTimeout> | undefined

export function useLive(): Live {
  return useSyncExternalStore(listeners, () => live)
}

/** Seq of the newest change of a source; undefined: not known. */
export function headOf(overview: Overview | undefined, sourceName: string): number | undefined {
  return overview?.sources.find(({ name }) => name === sourceName)?.last_seq
}

/** Begins to watch; the answer ends it. */
export function watchLive(): () => void {
  connect()
  document.addEventListener('visibilitychange', onVisibility)
  return () => {
    document.removeEventListener('visibilitychange', onVisibility)
    clearTimeout(hiddenTimer)
    disconnect()
    forget()
    publish({ status: 'connecting', overview: undefined, history })
  }
}

function onVisibility(): void {
  clearTimeout(hiddenTimer)
  if (document.hidden) hiddenTimer = setTimeout(disconnect, HIDDEN_MS)
  else if (!source) {
    publish({ ...live, status: 'connecting' })
    connect()
  }
}

function disconnect(): void {
  clearTimeout(retryTimer)
  clearTimeout(lateTimer)
  source?.close()
  source = undefined
}

function forget(): void {
  history = new Map()
  lastSeqs = new Map()
  lastPointAt = 0
}

function connect(): void {
  source = new EventSource('/v1/events')
  source.addEventListener('history', (event) => {
    forget()
    for (const moment of JSON.parse(event.data as string) as PastMoment[]) addMoment(moment)
  })
  source.addEventListener('overview', (event) => {
    const overview = JSON.parse(event.data as string) as Overview
    addMoment(toMoment(overview))
    const gap = live.overview ? Date.parse(overview.at) - Date.parse(live.overview.at) : 0
    publish({ status: 'live', overview, history })
    clearTimeout(lateTimer)
    const lateMs = Math.max(LATE_MS, gap * LATE_GAPS)
    lateTimer = setTimeout(() => publish({ ...live, status: 'late' }), lateMs)
  })
  source.addEventListener('error', () => {
    clearTimeout(lateTimer)
    publish({ ...live, status: 'lost' })
    // After a refusal the browser does not come back by itself.
    if (source?.readyState !== EventSource.CLOSED) return
    clearTimeout(retryTimer)
    retryTimer = setTimeout(connect, RETRY_MS)
  })
}

function publish(next: Live): void {
  live = next
  for (const listener of listeners) listener()
}

function toMoment({ at, sources, consumers }: Overview): PastMoment {
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

function addMoment({ at, sources, consumers }: PastMoment): void {
  const time = Date.parse(at)
  if (time - lastPointAt < STEP_MS) return
  if (time - lastPointAt > GAP_MS) forget()
  lastPointAt = time
  for (const [id, rate, backlog, p50, p95] of consumers) {
    addPoint(id, { at: time, rate, backlog, p50, p95 })
  }
  for (const [id, seq] of sources) {
    const before = lastSeqs.get(id)
    lastSeqs.set(id, { at: time, seq })
    if (!before) continue
    const rate = (Math.max(0, seq - before.seq) / (time - before.at)) * 1000
    addPoint(id, { at: time, rate, backlog: 0, p50: null, p95: null })
  }
}

function addPoint(id: string, point: Point): void {
  const points = history.get(id) ?? []
  history.set(id, [...points, point].slice(-POINTS_MAX))
}
