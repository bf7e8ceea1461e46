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
  status: 'connecting' | 'live' | 'lost'
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

let live: Live = { status: 'connecting', overview: undefined, history: new Map() }
const listeners = new Set<() => void>()
let history = new Map<string, Point[]>()
let lastSeqs = new Map<string, { at: number; seq: number }>()
let lastPointAt = 0
let source: EventSource | undefined
let retryTimer: ReturnType<typeof setTimeout> | undefined

export function useLive(): Live {
  return useSyncExternalStore(listeners, () => live)
}

/** Seq of the newest change of a source; undefined: not known. */
export function headOf(overview: Overview | undefined, source: string): number | undefined {
  return overview?.sources.find(({ name }) => name === source)?.last_seq
}

/** Begins to watch; the answer ends it. */
export function watchLive(): () => void {
  connect()
  return () => {
    clearTimeout(retryTimer)
    source?.close()
    source = undefined
    history = new Map()
    lastSeqs = new Map()
    lastPointAt = 0
    publish({ status: 'connecting', overview: undefined, history })
  }
}

function connect(): void {
  source = new EventSource('/v1/events')
  source.addEventListener('history', (event) => {
    history = new Map()
    lastSeqs = new Map()
    for (const moment of JSON.parse(event.data as string) as PastMoment[]) addMoment(moment)
  })
  source.addEventListener('overview', (event) => {
    const overview = JSON.parse(event.data as string) as Overview
    addMoment(toMoment(overview))
    publish({ status: 'live', overview, history })
  })
  source.addEventListener('error', () => {
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
