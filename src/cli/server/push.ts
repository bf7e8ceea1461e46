import type { PushTest } from '@millrace/client'
import type { Command } from 'commander'

import { CommandError, EXIT_CODE } from '../exit-code.ts'
import type { Terminal } from '../terminal.ts'
import { formatFields, formatValue } from './format-table.ts'
import { addServerCommand } from './server-command.ts'

/** What there is to do with a consumer's webhook. */
export function addPushCommands(group: Command, terminal: Terminal): void {
  addServerCommand(group, terminal, {
    usage: 'test-push <consumer>',
    description: 'send a sample to its webhook; the queue does not notice',
    examples: ['consumers test-push shipping'],
    async run({ client, show }, [name = '']) {
      const result = await client.consumers.testPush(name)
      show(result, () => describeTest(result))
      const { failure } = result
      if (failure) {
        throw new CommandError(`the webhook failed: ${failure.kind}`, EXIT_CODE.failure)
      }
    },
  })
  addServerCommand(group, terminal, {
    usage: 'rotate-secret <consumer>',
    description: 'make a new signing secret; for 24 hours requests carry a signature of both',
    examples: ['consumers rotate-secret shipping'],
    async run({ client, show }, [name = '']) {
      const rotated = await client.consumers.rotateSecret(name)
      show(rotated, () => formatFields(rotated))
    },
  })
}

function describeTest({ status, latency_ms, answer, failure }: PushTest): readonly string[] {
  const outcome = failure?.message ?? `answered ${status}${answer === null ? '' : `: ${answer}`}`
  return [`${formatValue(outcome)} (${latency_ms} ms)`]
}
