import type { QueueClient, SettleBody } from '../queue-client.ts'
import type { Settlement } from './settler.ts'

export type SettledStatus = 'acked' | 'already_acked' | 'nacked' | 'dead_lettered' | 'lease_lost'

/** What handling messages needs of the client, for one consumer. */
export interface QueueCalls {
  /** Answers the ids whose lease is lost. Sent once: the next heartbeat is the retry. */
  extend(
    ackIds: string[],
    options: { visibilityTimeoutMs: number; timeoutMs: number },
  ): Promise<readonly string[]>
  /** Answers in the order asked. */
  settle(settlements: readonly Settlement[], signal: AbortSignal): Promise<SettledStatus[]>
}

export function toQueueCalls(client: QueueClient, consumer: string): QueueCalls {
  return {
    async extend(ackIds, options) {
      const { results } = await client.extend(consumer, ackIds, { ...options, attempts: 1 })
      return results.filter(({ status }) => status === 'lease_lost').map(({ ack_id }) => ack_id)
    },
    async settle(settlements, signal) {
      const { results } = await client.settle(consumer, toSettleBody(settlements), { signal })
      const statuses = new Map(results.map(({ ack_id, status }) => [ack_id, status]))
      return settlements.map(({ ackId }) => statuses.get(ackId) as SettledStatus)
    },
  }
}

function toSettleBody(settlements: readonly Settlement[]): SettleBody {
  const body: Required<SettleBody> = { acks: [], nacks: [], dead_letters: [], extends: [] }
  for (const { ackId: ack_id, outcome } of settlements) {
    if (outcome.kind === 'ack') body.acks.push({ ack_id })
    else if (outcome.kind === 'dead_letter') {
      body.dead_letters.push({ ack_id, reason: outcome.reason })
    } else {
      const { delay, reason, countAttempt } = outcome
      body.nacks.push({
        ack_id,
        ...(delay === undefined ? {} : { delay }),
        ...(reason === undefined ? {} : { reason }),
        ...(countAttempt === undefined ? {} : { count_attempt: countAttempt }),
      })
    }
  }
  return body
}
