import { randomBytes } from 'node:crypto'

import type { Client } from '@millrace/client'
import type { Command } from 'commander'

import { ConfigError } from '../../config.ts'
import { CommandError } from '../exit-code.ts'
import { listenForStop } from '../stop-signal.ts'
import { printLine, type Terminal } from '../terminal.ts'
import { formatFields } from './format-table.ts'
import { readNumber } from './read-argument.ts'
import { addServerCommand, type Session } from './server-command.ts'

interface BenchFlags {
  source?: string
  messages?: string
  workers?: string
  batchSize?: string
}

interface Load {
  consumer: string
  messages: number
  workers: number
  batchSize: number
  signal: AbortSignal
}

const MESSAGES = 10_000
const WORKERS = 4
const WORKERS_MAX = 64
const BATCH_SIZE = 100
const BATCH_SIZE_MAX = 1000

export function addBenchCommand(program: Command, terminal: Terminal): void {
  addServerCommand<BenchFlags>(program, terminal, {
    usage: 'bench',
    description: 'how fast messages are received and acked from here, with what the log holds',
    options: [
      ['--source <name>', 'whose log; a consumer is made for it, and deleted in the end'],
      ['--messages <number>', `at most so many (${MESSAGES})`],
      ['--workers <number>', `that receive and ack at once (${WORKERS})`],
      ['--batch-size <number>', `messages of one receive (${BATCH_SIZE})`],
    ],
    examples: [
      'bench --source shop',
      'bench --source shop --messages 100000 --workers 16 --batch-size 500',
    ],
    async run(session, _args, { source, ...flags }) {
      if (source === undefined) throw new ConfigError(['--source is missing: whose log?'])
      const load = {
        messages: readRange('--messages', flags.messages, MESSAGES, Number.MAX_SAFE_INTEGER),
        workers: readRange('--workers', flags.workers, WORKERS, WORKERS_MAX),
        batchSize: readRange('--batch-size', flags.batchSize, BATCH_SIZE, BATCH_SIZE_MAX),
      }
      await bench(session, source, load)
    },
  })
}

async function bench(
  { client, show, terminal }: Session,
  source: string,
  load: Omit<Load, 'consumer' | 'signal'>,
): Promise<void> {
  const signal = listenForStop(terminal.environment)
  const consumer = `bench-${randomBytes(4).toString('hex')}`
  await client.consumers.create({
    name: consumer,
    source,
    tables: ['*'],
    start_from: 'earliest',
    // A receive then has nobody to wait for: empty means that all are received.
    ordering: 'none',
  })
  printLine(terminal.stderr, `receiving as ${consumer}; Ctrl-C ends it`)
  try {
    const result = await measure(client, { ...load, consumer, signal })
    if (result.messages === 0) {
      throw new CommandError(`The log of "${source}" is empty: change some rows first.`)
    }
    show(result, () => formatFields(result))
  } finally {
    await client.consumers.delete(consumer)
  }
}

async function measure(client: Client, load: Load) {
  const times: { receive: number[]; ack: number[] } = { receive: [], ack: [] }
  let messages = 0
  const startedAt = performance.now()
  const work = async (): Promise<void> => {
    while (messages < load.messages && !load.signal.aborted) {
      const { data } = await timed(times.receive, () =>
        client.receive(load.consumer, { batchSize: load.batchSize, waitFor: 0 }),
      )
      if (data.length === 0) return
      messages += data.length
      const ids = data.map(({ ack_id }) => ack_id)
      await timed(times.ack, () => client.ack(load.consumer, ids))
    }
  }
  await Promise.all(Array.from({ length: load.workers }, work))
  const seconds = (performance.now() - startedAt) / 1000
  return {
    messages,
    seconds: round(seconds),
    messages_per_second: Math.round(messages / seconds),
    receive_ms_p50: percentile(times.receive, 0.5),
    receive_ms_p95: percentile(times.receive, 0.95),
    ack_ms_p50: percentile(times.ack, 0.5),
    ack_ms_p95: percentile(times.ack, 0.95),
  }
}

async function timed<T>(times: number[], run: () => Promise<T>): Promise<T> {
  const startedAt = performance.now()
  const result = await run()
  times.push(performance.now() - startedAt)
  return result
}

function percentile(times: readonly number[], part: number): number | null {
  const sorted = times.toSorted((a, b) => a - b)
  const time = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]
  return time === undefined ? null : round(time)
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

function readRange(name: string, text: string | undefined, or: number, max: number): number {
  const value = text === undefined ? or : readNumber(name, text)
  if (value >= 1 && value <= max) return value
  throw new ConfigError([`${name} must be from 1 to ${max}`])
}
