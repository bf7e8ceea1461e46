import { idempotencyKey, MetadataWriter, type EnvelopeSource } from '../log/envelope.ts'
import type { LogEntry } from '../log/entry.ts'
import { ackIdPrefix, formatAckId } from './ack-id.ts'
import type { Consumer } from './consumer.ts'
import type { LeasedMessage } from './queue-service.ts'
import type { Selection } from './selection/select-changes.ts'
import type { Claim } from './state/claim-messages.ts'

/** What the messages of one consumer share. */
export interface MessageContext {
  readonly consumer: Consumer
  readonly source: EnvelopeSource
  readonly metadata: MetadataWriter
  readonly selection: Selection
  /** `metadata.consumer` as JSON. */
  readonly consumerJson: string
}

export function makeMessageContext(
  consumer: Consumer,
  source: EnvelopeSource,
  selection: Selection,
): MessageContext {
  const { id, name, annotations } = consumer
  const isPlain = Object.keys(annotations).length === 0
  const consumerJson = JSON.stringify(isPlain ? { id, name } : { id, name, annotations })
  return { consumer, source, metadata: new MetadataWriter(source), selection, consumerJson }
}

/** The messages of a claim whose tick is stored. */
export function makeMessages(context: MessageContext, claim: Claim): LeasedMessage[] {
  const { lease, entries } = claim
  const shared = {
    context,
    prefix: ackIdPrefix(context.consumer.consumerNo, lease.leaseNo, lease.nonce),
    expiresAt: new Date(lease.expiresMs).toISOString(),
  }
  return entries.map((entry, ordinal) => {
    const { attempt, replayNo } = lease.items[ordinal]!
    return new Message(shared, entry, ordinal, attempt, replayNo)
  })
}

class Message implements LeasedMessage {
  readonly ackId: string
  readonly attempt: number
  readonly #entry: LogEntry
  readonly #replayNo: number
  readonly #shared: { context: MessageContext; prefix: string; expiresAt: string }

  constructor(
    shared: { context: MessageContext; prefix: string; expiresAt: string },
    entry: LogEntry,
    ordinal: number,
    attempt: number,
    replayNo: number,
  ) {
    this.#shared = shared
    this.#entry = entry
    this.#replayNo = replayNo
    this.attempt = attempt
    this.ackId = formatAckId(shared.prefix, ordinal, entry.seq, replayNo)
  }

  get seq(): number {
    return this.#entry.seq
  }

  get idempotencyKey(): string {
    return idempotencyKey(this.#entry, this.#shared.context.source)
  }

  get group(): string | null {
    return this.#shared.context.selection.groupLabel(this.#entry)
  }

  toJson(): string {
    return `{"ack_id":"${this.ackId}",${this.#body()}`
  }

  toPushJson(): string {
    return `{${this.#body()}`
  }

  /** Joined, never parsed or stringified: record and changes are JSON text since they were captured. */
  #body(): string {
    const { context, expiresAt } = this.#shared
    const { record, changes } = context.selection.project(this.#entry)
    const group = this.group
    return (
      `"record":${record},"changes":${changes ?? 'null'},"action":"${this.#entry.action}",` +
      `${context.metadata.write(this.#entry)},"consumer":${context.consumerJson}},` +
      `"delivery":{"attempt":${this.attempt},"group":${group === null ? 'null' : JSON.stringify(group)},` +
      `"lease_expires_at":"${expiresAt}"${this.#replayNo === 0 ? '' : `,"replay":${this.#replayNo}`}}}`
    )
  }
}
