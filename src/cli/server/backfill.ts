import { setTimeout as sleep } from 'node:timers/promises'

import type { Backfill } from '@millrace/client'
import type { Command } from 'commander'

import { ConfigError } from '../../config.ts'
import { CommandError } from '../exit-code.ts'
import { listenForStop } from '../stop-signal.ts'
import { printLine, type Terminal } from '../terminal.ts'
import { formatTable } from './format-table.ts'
import { readKey } from './read-argument.ts'
import { addServerCommand, type Session } from './server-command.ts'

interface OwnerFlags {
  consumer?: string
  source?: string
}

interface StartFlags extends OwnerFlags {
  table?: string
  where?: string
  fromKey?: string
  detach?: boolean
}

const OWNER = [
  ['--consumer <name>', 'for this consumer alone'],
  ['--source <name>', 'for every consumer of a table of this source'],
] as const

const WATCH_MS = 500
const BAR_WIDTH = 30
/** To the left edge, and clear the line. */
const REDRAW = '\r\u001b[K'

export function addBackfillCommands(program: Command, terminal: Terminal): void {
  const group = program.command('backfill').description('bring the rows that exist already')
  addServerCommand<StartFlags>(group, terminal, {
    usage: 'start',
    description: 'read rows into the log as messages with the action `read`, and show how it goes',
    options: [
      ...OWNER,
      ['--table <name>', 'schema.table; for a consumer all that it selects when left out'],
      ['--where <sql>', 'only these rows; needs the scope admin'],
      ['--from-key <key>', `begin with this primary key: 42, abc, or '["a",1]'`],
      ['--detach', 'do not wait for the end'],
    ],
    examples: [
      'backfill start --consumer shipping',
      `backfill start --source shop --table public.orders --where "status = 'open'"`,
    ],
    async run(session, _args, flags) {
      const { table, where, fromKey, detach } = flags
      const more = {
        ...(where === undefined ? {} : { where }),
        ...(fromKey === undefined ? {} : { from_key: readFromKey(fromKey) }),
      }
      const { consumers, sources } = session.client
      const owner = readOwner(flags)
      let started: Backfill[]
      if ('consumer' in owner) {
        const body = { ...more, ...(table === undefined ? {} : { table }) }
        started = (await consumers.backfills.start(owner.consumer, body)).data
      } else {
        if (table === undefined) throw new ConfigError(['--table is missing: schema.table'])
        started = (await sources.backfills.start(owner.source, { table, ...more })).data
      }
      if (detach) showBackfills(session, started)
      else await watch(session, owner, started)
    },
  })
  addServerCommand<OwnerFlags>(group, terminal, {
    usage: 'list',
    description: 'those for a consumer, or all of a source, the newest first',
    options: OWNER,
    examples: ['backfill list --source shop', 'backfill list --consumer shipping --json'],
    async run(session, _args, flags) {
      const rows: Backfill[] = []
      const owner = readOwner(flags)
      const { consumers, sources } = session.client
      const all =
        'consumer' in owner
          ? consumers.backfills.listAll(owner.consumer)
          : sources.backfills.listAll(owner.source)
      for await (const backfill of all) rows.push(backfill)
      showBackfills(session, rows)
    },
  })
  addServerCommand<OwnerFlags>(group, terminal, {
    usage: 'watch <id>',
    description: 'show how it goes until it has ended',
    options: OWNER,
    examples: ['backfill watch 3f2b8a52-6c5e-4f6e-9d38-0f9a4c1f2f3a --source shop'],
    async run(session, [id = ''], flags) {
      const owner = readOwner(flags)
      await watch(session, owner, [await getBackfill(session, owner, id)])
    },
  })
  const moves = [
    ['pause', 'read no further page'],
    ['resume', 'go on where it was; also after a failure'],
    ['cancel', 'end it for good; what was read stays'],
  ] as const
  for (const [verb, description] of moves) {
    addServerCommand<OwnerFlags>(group, terminal, {
      usage: `${verb} <id>`,
      description,
      options: OWNER,
      examples: [`backfill ${verb} 3f2b8a52-6c5e-4f6e-9d38-0f9a4c1f2f3a --source shop`],
      async run(session, [id = ''], flags) {
        const owner = readOwner(flags)
        const { consumers, sources } = session.client
        const moved = await ('consumer' in owner
          ? consumers.backfills[verb](owner.consumer, id)
          : sources.backfills[verb](owner.source, id))
        session.show(moved, () => [`${moved.table ?? moved.id} is ${moved.state}`])
      },
    })
  }
}

type Owner = { consumer: string } | { source: string }

function readOwner({ consumer, source }: OwnerFlags): Owner {
  if (consumer !== undefined && source === undefined) return { consumer }
  if (source !== undefined && consumer === undefined) return { source }
  throw new ConfigError(['Say for whom: either --consumer NAME or --source NAME'])
}

function readFromKey(text: string): (string | number)[] {
  return [readKey(text)].flat().map((part) => part ?? '')
}

function getBackfill({ client }: Session, owner: Owner, id: string): Promise<Backfill> {
  return 'consumer' in owner
    ? client.consumers.backfills.get(owner.consumer, id)
    : client.sources.backfills.get(owner.source, id)
}

function showBackfills({ show }: Session, backfills: readonly Backfill[]): void {
  show(backfills, () =>
    formatTable(
      ['ID', 'TABLE', 'FOR', 'STATE', 'READ', 'SCANNED', 'OF ABOUT', 'ROWS/S', 'ERROR'],
      backfills.map((backfill) => [
        backfill.id,
        backfill.table,
        backfill.consumer ?? 'all',
        backfill.state,
        backfill.rows_read,
        backfill.rows_scanned,
        backfill.rows_estimated,
        backfill.rows_per_second === null ? null : Math.round(backfill.rows_per_second),
        backfill.error,
      ]),
    ),
  )
}

/** Interrupted it leaves the backfill running: the server reads it, not this command. */
async function watch(
  session: Session,
  owner: Owner,
  backfills: readonly Backfill[],
): Promise<void> {
  const signal = listenForStop(session.terminal.environment)
  const ended: Backfill[] = []
  for (const { id } of backfills) ended.push(await watchOne(session, owner, id, signal))
  session.show(ended, () => [])
  const failed = ended.filter(({ state }) => state !== 'done')
  if (failed.length === 0) return
  throw new CommandError(
    failed
      .map(
        ({ table, state, error }) =>
          `${table ?? 'a backfill'}: ${state}${error ? `, ${error}` : ''}`,
      )
      .join('\n'),
  )
}

async function watchOne(
  session: Session,
  owner: Owner,
  id: string,
  signal: AbortSignal,
): Promise<Backfill> {
  const { stdout, isInteractive } = session.terminal
  const draws = isInteractive && !session.isForPrograms
  for (;;) {
    const backfill = await getBackfill(session, owner, id)
    const isOver = !['pending', 'running'].includes(backfill.state)
    if (draws) stdout.write(REDRAW + formatProgress(backfill))
    else if (isOver && !session.isForPrograms) printLine(stdout, formatProgress(backfill))
    if (isOver) {
      if (draws) printLine(stdout)
      return backfill
    }
    await sleep(WATCH_MS, undefined, { signal })
  }
}

/** `public.orders  ██████░░░░  60 %  6,000 of about 10,000, 12,345 rows/s` */
export function formatProgress(backfill: Backfill): string {
  const { table, state, rows_scanned, rows_read, rows_estimated, rows_per_second } = backfill
  const total = Math.max(rows_estimated ?? 0, rows_scanned, 1)
  const share = state === 'done' ? 1 : Math.min(rows_scanned / total, 0.99)
  const filled = Math.round(share * BAR_WIDTH)
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled)
  const count = (number: number): string => Math.round(number).toLocaleString('en')
  const how =
    state === 'running'
      ? `${count(rows_scanned)} of about ${count(total)}, ${count(rows_per_second ?? 0)} rows/s`
      : `${state}, ${count(rows_read)} rows read`
  return `${table ?? 'all tables'}  ${bar} ${String(Math.floor(share * 100)).padStart(3)} %  ${how}`
}
