import type { ConsumerStats } from '@millrace/client'
import type { Command } from 'commander'

import type { Terminal } from '../terminal.ts'
import { formatTable } from './format-table.ts'
import { addServerCommand } from './server-command.ts'

export function addStatsCommand(program: Command, terminal: Terminal): void {
  addServerCommand(program, terminal, {
    usage: 'stats [consumers...]',
    description: 'how the queues are doing: these, or all',
    examples: ['stats', 'stats shipping invoicing', 'stats shipping --json | jq .[0].backlog'],
    async run({ client, show }, names) {
      const asked = [...names]
      if (asked.length === 0) {
        for await (const { name } of client.consumers.listAll()) asked.push(name)
      }
      const rows: (ConsumerStats & { name: string })[] = []
      // One after the other: counting a backlog is work for the storage.
      for (const name of asked) rows.push({ name, ...(await client.consumers.stats(name)) })
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
    },
  })
}
