import type { components, Consumer } from '@millrace/client'
import type { Command } from 'commander'

import { ConfigError } from '../../config.ts'
import type { Terminal } from '../terminal.ts'
import { formatFields, formatTable } from './format-table.ts'
import { readList, readObject, readTime } from './read-argument.ts'
import { addPushCommands } from './push.ts'
import { addServerCommand } from './server-command.ts'

interface PutFlags {
  source?: string
  tables?: string
  filter?: string
  settings?: string
}

export function addConsumerCommands(program: Command, terminal: Terminal): void {
  const group = program.command('consumers').description('the queues of a running server')
  addServerCommand(group, terminal, {
    usage: 'list',
    description: 'all consumers',
    examples: ['consumers list', 'consumers list --json | jq -r .[].name'],
    async run({ client, show }) {
      const rows: Consumer[] = []
      for await (const consumer of client.consumers.listAll()) rows.push(consumer)
      show(rows, () =>
        formatTable(
          ['NAME', 'SOURCE', 'MODE', 'TABLES', 'PAUSED'],
          rows.map(({ name, source, mode, tables, paused }) => [
            name,
            source,
            mode,
            tables.join(','),
            paused ? (paused.reason ?? 'yes') : null,
          ]),
        ),
      )
    },
  })
  addServerCommand(group, terminal, {
    usage: 'get <consumer>',
    description: 'its settings',
    examples: ['consumers get shipping'],
    async run({ client, show }, [name = '']) {
      const consumer = await client.consumers.get(name)
      show(consumer, () => formatFields(consumer))
    },
  })
  addServerCommand<PutFlags>(group, terminal, {
    usage: 'put <consumer>',
    description: 'create it, or give it exactly these settings',
    options: [
      ['--source <name>', 'whose changes it takes'],
      ['--tables <list>', 'such as public.orders,public.items'],
      ['--filter <expression>', 'CEL over record, changes, action, metadata'],
      ['--settings <json>', 'any fields of the API'],
    ],
    examples: [
      'consumers put shipping --source shop --tables public.orders',
      `consumers put audit --source shop --tables 'public.*' --settings '{"max_deliveries": 5}'`,
    ],
    async run({ client, show }, [name = ''], flags) {
      const consumer = await client.consumers.put(name, readSettings(flags))
      show(consumer, () => formatFields(consumer))
    },
  })
  addServerCommand<{ yes?: boolean }>(group, terminal, {
    usage: 'delete <consumer>',
    description: 'delete it, with whatever it has not handled',
    options: [['--yes', 'it is meant so']],
    examples: ['consumers delete shipping --yes'],
    async run({ client, show }, [name = ''], { yes }) {
      if (!yes) throw new ConfigError([`To delete the consumer "${name}", say so with --yes`])
      await client.consumers.delete(name)
      show({ deleted: name }, () => [`deleted ${name}`])
    },
  })
  addServerCommand<{ reason?: string; until?: string }>(group, terminal, {
    usage: 'pause <consumer>',
    description: 'deliver nothing until it is resumed',
    options: [
      ['--reason <text>', 'shown to others'],
      ['--until <time>', 'go on by itself then'],
    ],
    examples: ['consumers pause shipping --reason "the carrier is down"'],
    async run({ client, show }, [name = ''], { reason, until }) {
      const consumer = await client.consumers.pause(name, {
        ...(reason === undefined ? {} : { reason }),
        ...(until === undefined ? {} : { until: readTime('--until', until) }),
      })
      show(consumer, () => [`paused ${name}`])
    },
  })
  addServerCommand(group, terminal, {
    usage: 'resume <consumer>',
    description: 'deliver again',
    examples: ['consumers resume shipping'],
    async run({ client, show }, [name = '']) {
      const consumer = await client.consumers.resume(name)
      show(consumer, () => [`resumed ${name}`])
    },
  })
  addPushCommands(group, terminal)
}

/** The server judges them; here they are only put together. */
function readSettings({ source, tables, filter, settings }: PutFlags) {
  return {
    ...(settings === undefined ? {} : readObject('--settings', settings)),
    ...(source === undefined ? {} : { source }),
    ...(tables === undefined ? {} : { tables: readList(tables) }),
    ...(filter === undefined ? {} : { filter }),
  } as components['schemas']['ConsumerPut']
}
