import { setTimeout as sleep } from 'node:timers/promises'

import type { ConsumerStats } from '@millrace/client'
import type { Command } from 'commander'

import { ConfigError } from '../../config.ts'
import { listenForStop } from '../stop-signal.ts'
import { printLine, type Terminal } from '../terminal.ts'
import { formatTable } from './format-table.ts'
import { readNumber } from './read-argument.ts'
import { addServerCommand, type Session } from './server-command.ts'

interface StatsFlags {
  watch?: boolean
  interval?: string
}

type Row = ConsumerStats & { name: string }

const INTERVAL_S = 2
/** To the corner, and clear what is below: no flicker, as nothing is blank for a moment. */
const HOME = '\u001b[H\u001b[J'

export function addStatsCommand(program: Command, terminal: Terminal): void {
  addServerCommand<StatsFlags>(program, terminal, {
    usage: 'stats [consumers...]',
    description: 'how the queues are doing: these, or all',
    options: [
      ['--watch', 'again and again, until Ctrl-C'],
      ['--interval <seconds>', `between two looks (${INTERVAL_S})`],
    ],
    examples: [
      'stats',
      'stats shipping invoicing --watch',
      'stats shipping --json | jq .[0].backlog',
    ],
    async run(session, names, { watch, interval }) {
      const seconds = interval === undefined ? INTERVAL_S : readNumber('--interval', interval)
      if (seconds < 1) throw new ConfigError(['--interval must be at least 1'])
      if (watch) await watchStats(session, names, seconds)
      else showStats(session, await readStats(session, names))
    },
  })
}

async function watchStats(
  session: Session,
  names: readonly string[],
  seconds: number,
): Promise<void> {
  const { environment, stdout, isInteractive } = session.terminal
  const signal = listenForStop(environment)
  try {
    for (;;) {
      const rows = await readStats(session, names, signal)
      if (isInteractive && !session.isForPrograms) stdout.write(HOME)
      showStats(session, rows)
      if (!isInteractive && !session.isForPrograms) printLine(stdout)
      await sleep(seconds * 1000, undefined, { signal })
    }
  } catch (error) {
    // Ctrl-C is how this ends: no failure.
    if (!signal.aborted) throw error
  }
}

/** One after the other: counting a backlog is work for the storage. */
async function readStats(
  { client }: Session,
  names: readonly string[],
  signal?: AbortSignal,
): Promise<Row[]> {
  const options = signal ? { signal } : {}
  const asked = [...names]
  if (asked.length === 0) {
    for await (const { name } of client.consumers.listAll(options)) asked.push(name)
  }
  const rows: Row[] = []
  for (const name of asked) rows.push({ name, ...(await client.consumers.stats(name, options)) })
  return rows
}

function showStats({ show }: Session, rows: readonly Row[]): void {
  show(rows, () =>
    formatTable(
      ['NAME', 'BACKLOG', 'LEASED', 'RETRYING', 'WAITING', 'DEAD', 'OLDEST', 'ACKED/S'],
      rows.map((row) => [
        row.name,
        row.backlog,
        row.leased,
        row.retrying,
        row.waiting,
        row.dead,
        row.oldest_unacked_age_ms === null
          ? null
          : `${(row.oldest_unacked_age_ms / 1000).toFixed(1)} s`,
        row.rates.acked.toFixed(1),
      ]),
    ),
  )
}
