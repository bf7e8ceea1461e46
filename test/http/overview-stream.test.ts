import { describe, expect, test } from 'vitest'

import type { Principal } from '../../src/http/auth.ts'
import type { Overview } from '../../src/http/overview.ts'
import { OverviewStream } from '../../src/http/overview-stream.ts'
import { silentLogger } from '../support/given.ts'

const EVERYTHING: Principal = { scopes: new Set(['read']), consumers: null }

function makeOverview(): Overview {
  const stats = {
    backlog: 3,
    leased: 0,
    retrying: 0,
    waiting: 0,
    dead: 0,
    waiters: 0,
    oldest_unacked_age_ms: null,
    rates: { delivered: 0, acked: 2, nacked: 0 },
    latency: null,
  }
  const consumer = { source: 'shop', mode: 'pull' as const, paused: false, stats }
  return {
    at: new Date().toISOString(),
    sources: [
      {
        id: 's1',
        name: 'shop',
        state: 'healthy',
        state_reason: null,
        state_remedy: null,
        last_commit_at: null,
        last_seq: 7,
        lag_bytes: null,
      },
    ],
    consumers: [
      { id: 'c1', name: 'inventory', ...consumer },
      { id: 'c2', name: 'shipping', ...consumer },
    ],
  }
}

interface Events {
  next: (event: string) => Promise<unknown>
  /** Resolves when the server ends the stream. */
  end: () => Promise<void>
  cancel: () => Promise<void>
}

function readEvents(stream: ReadableStream<Uint8Array>): Events {
  const reader = stream.getReader()
  const decoder = new TextDecoder()
  let text = ''
  return {
    async next(event) {
      for (;;) {
        const found = new RegExp(`event: ${event}\\ndata: (.*)\\n\\n`).exec(text)
        if (found) {
          text = text.slice(found.index + found[0].length)
          return JSON.parse(found[1]!) as unknown
        }
        const { value, done } = await reader.read()
        if (done) throw new Error('the stream ended')
        text += decoder.decode(value, { stream: true })
      }
    },
    async end() {
      while (!(await reader.read()).done);
    },
    cancel: () => reader.cancel(),
  }
}

describe('the overview as a stream', () => {
  test('is sampled once for all who watch, and not when nobody does', async () => {
    let reads = 0
    let isDraining = false
    const overview = new OverviewStream({
      read: () => {
        reads += 1
        return Promise.resolve(makeOverview())
      },
      logger: silentLogger,
      isDraining: () => isDraining,
      intervalMs: 5,
    })
    expect(reads).toBe(0)

    const viewers = Array.from({ length: 10 }, () => readEvents(overview.open(EVERYTHING)))
    const shown = await Promise.all(viewers.map((viewer) => viewer.next('overview')))
    expect(shown.every((each) => (each as Overview).consumers.length === 2)).toBe(true)
    expect(reads).toBeLessThanOrEqual(3)

    isDraining = true
    await Promise.all(viewers.map((viewer) => viewer.end()))
  })

  test('shows a token only the consumers that it is bound to, and no source', async () => {
    let isDraining = false
    const overview = new OverviewStream({
      read: () => Promise.resolve(makeOverview()),
      logger: silentLogger,
      isDraining: () => isDraining,
      intervalMs: 5,
    })
    const bound: Principal = { scopes: new Set(['read']), consumers: new Set(['shipping']) }
    const viewer = readEvents(overview.open(bound))
    const shown = (await viewer.next('overview')) as Overview
    expect(shown.consumers.map(({ name }) => name)).toEqual(['shipping'])
    expect(shown.sources).toEqual([])

    const late = readEvents(overview.open(bound))
    const past = (await late.next('history')) as { consumers: unknown[]; sources: unknown[] }[]
    expect(past[0]).toMatchObject({ consumers: [['c2', 2, 3, null, null]], sources: [] })
    isDraining = true
    await viewer.end()
  })

  test('refuses one viewer more than it takes, until another leaves', async () => {
    let isDraining = false
    const overview = new OverviewStream({
      read: () => Promise.resolve(makeOverview()),
      logger: silentLogger,
      isDraining: () => isDraining,
      intervalMs: 5,
      viewersMax: 1,
    })
    const viewer = readEvents(overview.open(EVERYTHING))
    expect(() => overview.open(EVERYTHING)).toThrow('Too many consoles')
    await viewer.cancel()
    const next = readEvents(overview.open(EVERYTHING))
    await next.next('overview')
    isDraining = true
    await next.end()
  })

  test('outlives a storage that is away for a while', async () => {
    let isDraining = false
    let reads = 0
    const overview = new OverviewStream({
      read: () => {
        reads += 1
        return reads < 3 ? Promise.reject(new Error('away')) : Promise.resolve(makeOverview())
      },
      logger: silentLogger,
      isDraining: () => isDraining,
      intervalMs: 5,
    })
    const viewer = readEvents(overview.open(EVERYTHING))
    expect(await viewer.next('overview')).toMatchObject({ consumers: [{ name: 'inventory' }, {}] })
    isDraining = true
    await viewer.end()
  })
})
