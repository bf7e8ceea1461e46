import { setTimeout as sleep } from 'node:timers/promises'

import type { Client, LoggedChange } from '@millrace/client'
import type { Command } from 'commander'

import { ConfigError } from '../../config.ts'
import { listenForStop } from '../stop-signal.ts'
import { printLine, type Terminal } from '../terminal.ts'
import { readTable, readTime } from './read-argument.ts'
import { addServerCommand, type Session } from './server-command.ts'

const POLL_MS = 500
const PAGE = 200
/** Between two looks: what is older is counted, not shown. */
const BEHIND_MAX = 10_000

interface TailFlags {
  consumer?: string
  table?: string
  key?: string
  from?: string
}

export function addTailCommand(program: Command, terminal: Terminal): void {
  addServerCommand<TailFlags>(program, terminal, {
    usage: 'tail [source]',
    description: 'follow the changes of a source, or what a consumer gets, without consuming them',
    options: [
      ['--consumer <name>', 'instead of a source: what this one selects, its filter included'],
      ['--table <name>', 'only this one, such as public.orders'],
      ['--key <json>', 'only this row: 42 or \'"abc"\''],
      ['--from <time>', 'begin with what was committed then (now)'],
    ],
    examples: [
      'tail shop',
      'tail shop --table public.orders --json | jq .record',
      'tail --consumer shipping',
    ],
    run: (session, [source], flags) => tail(session, source, flags),
  })
}

async function tail(session: Session, source: string | undefined, flags: TailFlags): Promise<void> {
  const { consumer, table, key, from } = flags
  if ((source === undefined) === (consumer === undefined)) {
    throw new ConfigError(['Name either a source or --consumer'])
  }
  if (consumer !== undefined && (table !== undefined || key !== undefined)) {
    throw new ConfigError(['--table and --key go with a source: a consumer has its own tables'])
  }
  const signal = listenForStop(session.terminal.environment)
  try {
    if (source !== undefined) await follow(session, source, flags, signal)
    else if (consumer !== undefined) await followConsumer(session, consumer, from, signal)
  } catch (error) {
    // Ctrl-C is how this ends: no failure.
    if (!signal.aborted) throw error
  }
}

/** Until the signal, by which it throws. */
async function follow(
  session: Session,
  source: string,
  { table, key, from }: TailFlags,
  signal: AbortSignal,
): Promise<void> {
  const { client, terminal } = session
  const search = {
    ...(table === undefined ? {} : { table: readTable('--table', table) }),
    ...(key === undefined ? {} : { key }),
  }
  const begin = from === undefined ? undefined : readTime('--from', from)
  const { data } = await client.sources.changes(source, { order: 'newest', limit: 1 }, { signal })
  let last = data[0]?.seq ?? 0
  if (begin !== undefined) {
    last = (await printFrom(session, source, { ...search, from: begin }, signal)) ?? last
  }
  printLine(terminal.stderr, `following ${source}; Ctrl-C ends it`)
  for (;;) {
    await sleep(POLL_MS, undefined, { signal })
    const { changes, isCut } = await readSince(client, source, search, last, signal)
    if (isCut) {
      printLine(terminal.stderr, `over ${BEHIND_MAX} changes at once: the older are not shown`)
    }
    for (const change of changes) showChange(session, change)
    last = changes.at(-1)?.seq ?? last
  }
}

/** The same of what a consumer selects; page by page, so that nothing is left out. */
async function followConsumer(
  session: Session,
  consumer: string,
  from: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { client, terminal } = session
  const read = (query: NonNullable<Parameters<typeof client.consumers.changes>[1]>) =>
    client.consumers.changes(consumer, { ...query, limit: PAGE }, { signal })
  let page = await read(
    from === undefined ? { after: 'latest' } : { from: readTime('--from', from) },
  )
  for (const change of page.data) showChange(session, change)
  printLine(terminal.stderr, `following ${consumer}; Ctrl-C ends it`)
  for (;;) {
    if (!page.has_more) await sleep(POLL_MS, undefined, { signal })
    page = await read({ after: page.last_seq })
    for (const change of page.data) showChange(session, change)
  }
}

/** Everything committed since a time, oldest first; answers the seq of the last, if any. */
async function printFrom(
  session: Session,
  source: string,
  search: { table?: string; key?: string; from: string },
  signal: AbortSignal,
): Promise<number | undefined> {
  let last: number | undefined
  let cursor: string | null = null
  do {
    const query = { ...search, limit: PAGE, ...(cursor === null ? {} : { cursor }) }
    const page: Awaited<ReturnType<Client['sources']['changes']>> =
      await session.client.sources.changes(source, query, { signal })
    for (const change of page.data) showChange(session, change)
    last = page.data.at(-1)?.seq ?? last
    cursor = page.next_cursor
  } while (cursor !== null)
  return last
}

/** What came after `last`, oldest first: read from the newest backwards, as far as it takes. */
async function readSince(
  client: Client,
  source: string,
  search: { table?: string; key?: string },
  last: number,
  signal: AbortSignal,
): Promise<{ changes: LoggedChange[]; isCut: boolean }> {
  const changes: LoggedChange[] = []
  let cursor: string | null = null
  do {
    const query = { ...search, order: 'newest' as const, limit: PAGE }
    const page: Awaited<ReturnType<Client['sources']['changes']>> = await client.sources.changes(
      source,
      cursor === null ? query : { ...query, cursor },
      { signal },
    )
    const fresh = page.data.filter(({ seq }) => seq > last)
    changes.push(...fresh)
    cursor = fresh.length === page.data.length ? page.next_cursor : null
  } while (cursor !== null && changes.length < BEHIND_MAX)
  return { changes: changes.toReversed(), isCut: cursor !== null }
}

function showChange({ show, terminal }: Session, change: LoggedChange): void {
  show(change, () => {
    const { seq, action, table_schema, table_name, record, changes, commit_timestamp } = change
    const head = `${commit_timestamp}  ${seq}  ${terminal.paint('cyan', action)}`
    // What it was before, as far as Postgres sends it.
    const hasChanges = changes !== null && Object.keys(changes).length > 0
    const former = hasChanges ? terminal.paint('gray', `  was ${JSON.stringify(changes)}`) : ''
    return [`${head}  ${table_schema}.${table_name}  ${JSON.stringify(record)}${former}`]
  })
}
