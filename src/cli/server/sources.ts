import type { components, Source } from '@millrace/client'
import type { Command } from 'commander'

import { ConfigError } from '../../config.ts'
import { CommandError } from '../exit-code.ts'
import type { Terminal } from '../terminal.ts'
import { formatFields, formatTable } from './format-table.ts'
import { readList, readObject } from './read-argument.ts'
import { addServerCommand } from './server-command.ts'

interface PutFlags {
  tables?: string
  settings?: string
}

const SETTINGS = [
  ['--tables <list>', 'capture these alone, such as public.orders,public.items'],
  ['--settings <json>', 'any fields of the API'],
] as const

export function addSourceCommands(program: Command, terminal: Terminal): void {
  const group = program.command('sources').description('the databases whose changes are captured')
  addServerCommand(group, terminal, {
    usage: 'list',
    description: 'all sources',
    examples: ['sources list'],
    async run({ client, show }) {
      const rows: Source[] = []
      for await (const source of client.sources.listAll()) rows.push(source)
      show(rows, () =>
        formatTable(
          ['NAME', 'STATE', 'DATABASE', 'SLOT', 'REASON'],
          rows.map(({ name, state, host, port, database, slot, state_reason }) => [
            name,
            state,
            `${host}:${port}/${database}`,
            slot,
            state_reason,
          ]),
        ),
      )
    },
  })
  addServerCommand(group, terminal, {
    usage: 'get <source>',
    description: 'its settings',
    examples: ['sources get shop'],
    async run({ client, show }, [name = '']) {
      const source = await client.sources.get(name)
      show(source, () => formatFields(source))
    },
  })
  addServerCommand<PutFlags>(group, terminal, {
    usage: 'test <source> <database-url>',
    description: 'check whether a database can be captured; creates nothing',
    options: SETTINGS,
    examples: ['sources test shop postgres://me@db.internal/shop'],
    async run({ client, show }, [name = '', url = ''], flags) {
      const result = await client.sources.test({ name, url, ...readSettings(flags) })
      show(result, () => [
        ...formatTable(
          ['CHECK', 'RESULT', 'DETAIL'],
          result.checks.map((check) => [check.name, check.status, check.detail]),
        ),
        ...result.checks.flatMap(({ sql }) => (sql ? ['', sql] : [])),
      ])
      if (!result.ok) throw new CommandError('The database cannot be captured as it is.')
    },
  })
  addServerCommand<PutFlags>(group, terminal, {
    usage: 'put <source> <database-url>',
    description: 'connect a database, or change how it is reached',
    options: SETTINGS,
    examples: ['sources put shop postgres://me:secret@db.internal/shop --tables public.orders'],
    async run({ client, show }, [name = '', url = ''], flags) {
      const source = await client.sources.put(name, { url, ...readSettings(flags) })
      show(source, () => formatFields(source))
    },
  })
  addServerCommand<{ yes?: boolean; dropSlot: boolean }>(group, terminal, {
    usage: 'delete <source>',
    description: 'delete it, with its log and its slot',
    options: [
      ['--yes', 'it is meant so'],
      ['--no-drop-slot', 'leave the slot: it keeps the WAL of the database until it is dropped'],
    ],
    examples: ['sources delete shop --yes'],
    async run({ client, show }, [name = ''], { yes, dropSlot }) {
      if (!yes) throw new ConfigError([`To delete the source "${name}", say so with --yes`])
      await client.sources.delete(name, { dropSlot })
      show({ deleted: name }, () => [`deleted ${name}`])
    },
  })
  addServerCommand(group, terminal, {
    usage: 'health <source>',
    description: 'its reader, slot and gaps; ends with 1 where a person is needed',
    examples: ['sources health shop', 'sources health shop --json | jq .slot.lag_bytes'],
    async run({ client, show }, [name = '']) {
      const health = await client.sources.health(name)
      show(health, () => formatFields(health))
      if (health.state === 'needs_attention') {
        throw new CommandError(`The source "${name}" needs attention.`)
      }
    },
  })
  addServerCommand<{ yes?: boolean }>(group, terminal, {
    usage: 'accept-gap <source>',
    description: 'go on behind changes that can no longer be read; backfill afterwards',
    options: [['--yes', 'they are lost, and it is known why']],
    examples: ['sources accept-gap shop --yes'],
    async run({ client, show }, [name = ''], { yes }) {
      if (!yes) throw new ConfigError([`To give up changes of "${name}", say so with --yes`])
      const gap = await client.sources.acceptGap(name)
      show(gap, () => [
        `changes between ${gap.from} and ${gap.to} were missed; going on from ${gap.to}`,
      ])
    },
  })
}

/** The server judges them; here they are only put together. */
function readSettings({ tables, settings }: PutFlags): components['schemas']['SourcePut'] {
  return {
    ...(settings === undefined ? {} : readObject('--settings', settings)),
    ...(tables === undefined ? {} : { tables: readList(tables) }),
  }
}
