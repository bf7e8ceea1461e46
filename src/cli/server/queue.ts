import type { SettleAnswer } from '@millrace/client'
import type { Command } from 'commander'

import { CommandError } from '../exit-code.ts'
import type { Terminal } from '../terminal.ts'
import { formatTable } from './format-table.ts'
import { readDuration, readNumber } from './read-argument.ts'
import { addServerCommand, type Session } from './server-command.ts'

interface ReceiveFlags {
  batchSize?: string
  waitFor?: string
  ack?: boolean
}

interface NackFlags {
  delay?: string
  reason?: string
  count: boolean
  deadLetter?: boolean
}

export function addQueueCommands(program: Command, terminal: Terminal): void {
  addServerCommand<ReceiveFlags>(program, terminal, {
    usage: 'receive <consumer>',
    description: 'lease messages, and print them as JSON, one a line',
    options: [
      ['--batch-size <number>', 'messages at most (1)'],
      ['--wait-for <duration>', 'for the first, such as 20s (0)'],
      ['--ack', 'and ack them once they are printed'],
    ],
    examples: [
      'receive shipping --wait-for 20s',
      'receive shipping --batch-size 100 --ack | jq .record',
    ],
    async run({ client, show }, [consumer = ''], { batchSize = '1', waitFor = '0', ack }) {
      const { data } = await client.receive(consumer, {
        batchSize: readNumber('--batch-size', batchSize),
        waitFor: readDuration('--wait-for', waitFor),
      })
      // JSON for people as well: a message is a document, not a row.
      for (const message of data) show(message, () => [JSON.stringify(message)])
      if (!ack || data.length === 0) return
      const ids = data.map(({ ack_id }) => ack_id)
      expectSettled(await client.ack(consumer, ids))
    },
  })
  addServerCommand(program, terminal, {
    usage: 'ack <consumer> <ack-ids...>',
    description: 'done with: not delivered again',
    examples: ['ack shipping a-1-2s-k3x9f2-0-1z4'],
    async run(session, [consumer = '', ...ids]) {
      showSettled(session, await session.client.ack(consumer, ids))
    },
  })
  addServerCommand<NackFlags>(program, terminal, {
    usage: 'nack <consumer> <ack-ids...>',
    description: 'give messages back; they come again',
    options: [
      ['--delay <duration>', 'such as 30s (by the retry policy)'],
      ['--reason <text>', 'kept with the messages'],
      ['--no-count', 'as if they had not been delivered'],
      ['--dead-letter', 'they do not come again'],
    ],
    examples: ['nack shipping a-1-2s-k3x9f2-0-1z4 --delay 30s --reason "the carrier is down"'],
    async run(session, [consumer = '', ...ids], { delay, reason, count, deadLetter = false }) {
      const answer = await session.client.nack(consumer, ids, {
        countAttempt: count,
        deadLetter,
        ...(delay === undefined ? {} : { delay: readDuration('--delay', delay) }),
        ...(reason === undefined ? {} : { reason }),
      })
      showSettled(session, answer)
    },
  })
}

function showSettled({ show }: Session, answer: SettleAnswer): void {
  show(answer, () =>
    formatTable(
      ['ACK ID', 'STATUS', 'DETAIL'],
      answer.results.map((result) => [
        result.ack_id,
        result.status,
        result.detail ?? result.visible_at,
      ]),
    ),
  )
  expectSettled(answer)
}

function expectSettled({ success, counts }: SettleAnswer): void {
  if (success) return
  throw new CommandError(`${counts['lease_lost'] ?? 0} of them: the lease is lost.`)
}
