import type { Command } from 'commander'

import { ConfigError } from '../../config.ts'
import type { Terminal } from '../terminal.ts'
import { readKey, readNumber, readTarget } from './read-argument.ts'
import { addServerCommand } from './server-command.ts'

const TARGETS = 'earliest, latest, seq:17, lsn:123456 or a time'

export function addMovementCommands(program: Command, terminal: Terminal): void {
  addServerCommand<{ dryRun?: boolean }>(program, terminal, {
    usage: 'seek <consumer> <target>',
    description: `move the cursor to ${TARGETS}; leases are lost`,
    options: [['--dry-run', 'only count']],
    examples: ['seek shipping 2026-01-31T12:00:00Z --dry-run', 'seek shipping latest'],
    async run({ client, show }, [name = '', target = ''], { dryRun = false }) {
      const to = readTarget('The target', target)
      const result = await client.consumers.seek(name, { to, dry_run: dryRun })
      const verb = dryRun ? 'would come' : 'come'
      show(result, () => [
        `cursor at ${result.cursor_seq}: ${result.would_redeliver} ${verb} again, ${result.would_skip} skipped`,
      ])
    },
  })
  addServerCommand<{ from?: string; to?: string; key?: string }>(program, terminal, {
    usage: 'replay <consumer>',
    description: 'deliver old messages again; the cursor stays',
    options: [
      ['--from <target>', TARGETS],
      ['--to <target>', 'up to, not with (latest)'],
      ['--key <key>', `only this row: 42, abc, or '["a",1]'`],
    ],
    examples: [
      'replay shipping --from 2026-01-31T12:00:00Z',
      'replay shipping --from earliest --key 42',
    ],
    async run({ client, show }, [name = ''], { from, to, key }) {
      if (from === undefined) throw new ConfigError([`--from is missing: ${TARGETS}`])
      const result = await client.consumers.replay(name, {
        from: readTarget('--from', from),
        ...(to === undefined ? {} : { to: readTarget('--to', to) }),
        ...(key === undefined ? {} : { key: readKey(key) }),
      })
      show(result, () => [`replay ${result.replay} began: at most ${result.total} messages`])
    },
  })
  addServerCommand<{ all?: boolean; skipSuperseded?: boolean }>(program, terminal, {
    usage: 'redrive <consumer> [seqs...]',
    description: 'put dead or retrying messages up for delivery now',
    options: [
      ['--all', 'all dead ones'],
      ['--skip-superseded', 'but those whose row has changed since'],
    ],
    examples: ['redrive shipping 17 18', 'redrive shipping --all --skip-superseded'],
    async run({ client, show }, [name = '', ...seqs], { all, skipSuperseded = false }) {
      const which = readWhich(seqs, all)
      const result = await client.consumers.redrive(name, {
        ...which,
        skip_superseded: skipSuperseded,
      })
      show(result, () => [
        `${result.redriven} redriven, ${result.skipped} skipped, ${result.remaining} dead ones left`,
      ])
    },
  })
  addServerCommand<{ all?: boolean }>(program, terminal, {
    usage: 'discard <consumer> [seqs...]',
    description: 'give dead or retrying messages up for good',
    options: [['--all', 'all dead ones']],
    examples: ['discard shipping 17 18', 'discard shipping --all'],
    async run({ client, show }, [name = '', ...seqs], { all }) {
      const result = await client.consumers.discard(name, readWhich(seqs, all))
      show(result, () => [`${result.discarded} discarded`])
    },
  })
  addServerCommand<{ confirm?: string }>(program, terminal, {
    usage: 'purge <consumer>',
    description: 'empty the queue, whatever state its messages are in',
    options: [['--confirm <name>', 'the name of the consumer, once more']],
    examples: ['purge shipping --confirm shipping'],
    async run({ client, show }, [name = ''], { confirm }) {
      if (confirm === undefined) {
        throw new ConfigError([`To empty "${name}", say so with --confirm ${name}`])
      }
      const result = await client.consumers.purge(name, { confirm })
      show(result, () => [`${result.purged} purged`])
    },
  })
}

function readWhich(seqs: readonly string[], all: boolean | undefined) {
  if (seqs.length > 0 === (all === true)) {
    throw new ConfigError(['Either name the seqs or say --all'])
  }
  return all ? { all } : { seqs: seqs.map((seq) => readNumber('A seq', seq)) }
}
