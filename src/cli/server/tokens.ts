import type { components, Token } from '@millrace/client'
import type { Command } from 'commander'

import type { Terminal } from '../terminal.ts'
import { formatTable } from './format-table.ts'
import { readList, readTime } from './read-argument.ts'
import { addServerCommand } from './server-command.ts'

interface CreateFlags {
  scopes?: string
  consumers?: string
  expires?: string
}

export function addTokenCommands(program: Command, terminal: Terminal): void {
  const group = program.command('tokens').description('who may do what')
  addServerCommand(group, terminal, {
    usage: 'list',
    description: 'all tokens, without their secrets',
    examples: ['tokens list'],
    async run({ client, show }) {
      const rows: Token[] = []
      for await (const token of client.tokens.listAll()) rows.push(token)
      show(rows, () =>
        formatTable(
          ['ID', 'NAME', 'SCOPES', 'CONSUMERS', 'LAST USED', 'EXPIRES', 'REVOKED'],
          rows.map((token) => [
            token.id,
            token.name,
            token.scopes.join(','),
            [token.consumers].flat().join(','),
            token.last_used_at,
            token.expires_at,
            token.revoked_at,
          ]),
        ),
      )
    },
  })
  addServerCommand<CreateFlags>(group, terminal, {
    usage: 'create <name>',
    description: 'make a token; it is printed, and never shown again',
    options: [
      ['--scopes <list>', 'of consume, read, manage, admin (consume)'],
      ['--consumers <list>', 'for these alone (all)'],
      ['--expires <time>', 'when it ends (never)'],
    ],
    examples: [
      'tokens create "shipping service" --consumers shipping',
      'tokens create ci --scopes admin --expires 2027-01-31T00:00:00Z',
    ],
    async run({ client, show }, [name = ''], { scopes = 'consume', consumers, expires }) {
      const created = await client.tokens.create({
        name,
        scopes: readList(scopes) as components['schemas']['TokenCreate']['scopes'],
        ...(consumers === undefined ? {} : { consumers: readList(consumers) }),
        ...(expires === undefined ? {} : { expires_at: readTime('--expires', expires) }),
      })
      show(created, () => [created.token])
    },
  })
  addServerCommand(group, terminal, {
    usage: 'delete <id>',
    description: 'revoke it; effective everywhere within seconds',
    examples: ['tokens delete 0c3f8a526c5e'],
    async run({ client, show }, [id = '']) {
      await client.tokens.delete(id)
      show({ revoked: id }, () => [`revoked ${id}`])
    },
  })
}
