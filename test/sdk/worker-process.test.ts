import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { describe, expect, onTestFinished } from 'vitest'

import { createWorker } from '../../sdk/src/index.ts'
import { ADMIN_TOKEN } from '../http/api.ts'
import { orders } from '../support/given.ts'
import { CONSUMER, test } from './support/server.ts'

const PROGRAM = fileURLToPath(new URL('./support/worker-process.ts', import.meta.url))

interface Said {
  event: 'begin' | 'end' | 'settled' | 'lost'
  seq: number
  status?: string
  phase?: string
}

/** A worker in a process of its own, and what it has said so far. */
function startProcess(url: string, mode: 'busy' | 'frozen', seed: number) {
  const child = spawn(process.execPath, [PROGRAM, CONSUMER, mode, String(seed)], {
    env: { MILLRACE_URL: url, MILLRACE_TOKEN: ADMIN_TOKEN, NODE_NO_WARNINGS: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said: Said[] = []
  const watchers = new Set<() => void>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    said.push(JSON.parse(line) as Said)
    for (const watch of watchers) watch()
  })
  const ended = once(child, 'close').then(([code]) => code as number | null)
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const waitFor = (isThere: (said: Said[]) => boolean) =>
    new Promise<void>((resolve) => {
      const watch = (): void => {
        if (isThere(said)) resolve()
      }
      watchers.add(watch)
      watch()
    })
  const stop = (): Promise<number | null> => {
    child.kill('SIGTERM')
    return ended
  }
  return { said, waitFor, stop }
}

const isEnd = ({ event, status }: Said): boolean =>
  event === 'settled' && (status === 'acked' || status === 'dead_lettered')

/** What must never be, in what one process after the other has said. */
function findViolations(said: readonly Said[]): string[] {
  const running = new Set<number>()
  const ended = new Set<number>()
  const violations: string[] = []
  for (const each of said) {
    const { event, seq } = each
    if (event === 'begin') {
      if (running.has(seq)) violations.push(`${seq} is handled twice at the same time`)
      if (ended.has(seq)) violations.push(`${seq} is handled after its end`)
      running.add(seq)
    }
    if (event === 'end') running.delete(seq)
    if (event === 'lost') violations.push(`the lease of ${seq} is lost`)
    if (isEnd(each)) ended.add(seq)
  }
  return violations
}

describe('a worker in a process of its own', () => {
  const COUNT = 300
  const ROWS = 120

  test('ends by SIGTERM with all settled, whatever fails by chance, and the next goes on', async ({
    url,
    client,
    source,
  }) => {
    await source.append(orders(COUNT).map(({ id }) => ({ id: Number(id) % ROWS })))
    const seed = Math.ceil(Math.random() * 1_000_000)
    const first = startProcess(url, 'busy', seed)
    await first.waitFor((said) => said.filter(isEnd).length >= COUNT / 3)

    expect(await first.stop()).toBe(0)
    // A receive that was cut off by the stop is given back by the server, once it notices. An
    // answer that was on its way already has its lease run out.
    const leased = async () => (await client.consumers.stats(CONSUMER)).leased
    await expect.poll(leased, { timeout: 120_000 }).toBe(0)
    const second = startProcess(url, 'busy', seed + 1)
    const before = first.said.filter(isEnd).length
    await second.waitFor((said) => said.filter(isEnd).length >= COUNT - before)

    expect(await second.stop()).toBe(0)
    const said = [...first.said, ...second.said]
    expect({ seed, violations: findViolations(said) }).toEqual({ seed, violations: [] })
    expect(new Set(said.filter(isEnd).map(({ seq }) => seq)).size).toBe(COUNT)
    const dead = said.filter(({ status }) => status === 'dead_lettered').length
    expect(await client.consumers.stats(CONSUMER)).toMatchObject({
      backlog: 0,
      leased: 0,
      retrying: 0,
      dead,
    })
  })

  test('that stands still for longer than its lease loses that one alone, and learns it', async ({
    url,
    client,
    source,
  }) => {
    await source.append(orders(1))
    const frozen = startProcess(url, 'frozen', 1)
    await frozen.waitFor((said) => said.some(({ event }) => event === 'begin'))
    await source.append(orders(20, 2))
    const handled: number[] = []
    const lost: number[] = []
    const other = createWorker<{ id: number }>(client, {
      consumer: CONSUMER,
      visibilityTimeoutMs: 1000,
      handle: ({ record }) => void handled.push(record.id ?? 0),
    })
    other.on('leaseLost', ({ message }) => lost.push(message.record.id ?? 0))
    const settled = new Promise<void>((resolve) => {
      other.on('settled', () => handled.length >= 21 && resolve())
    })
    const running = other.run()

    await settled
    await frozen.waitFor((said) => said.some(({ event }) => event === 'lost'))
    await other.stop()
    await running

    expect(await frozen.stop()).toBe(0)
    expect(handled.toSorted((a, b) => a - b)).toEqual(orders(21).map(({ id }) => id))
    expect(lost).toEqual([])
    const learned = frozen.said.filter(({ event }) => event === 'lost' || event === 'settled')
    expect(learned).toMatchObject([{ event: 'lost', seq: 1 }])
    expect(await client.consumers.stats(CONSUMER)).toMatchObject({ backlog: 0, leased: 0, dead: 0 })
  })
})
