import { idempotencyKey, MetadataWriter, type EnvelopeSource } from '../log/envelope.ts'
import type { LogEntry } from '../log/entry.ts'
import { ackIdPrefix, formatAckId } from './ack-id.ts'
import type { Consumer } from './consumer.ts'
import type { LeasedMessage } from './queue-service.ts'
import type { Selection } from './selection/select-changes.ts'
import { ENVELOPE_BYTES, type Claim } from './state/claim-messages.ts'

/** What the messages of one consumer share. */
export interface MessageContext {
  readonly consumer: Consumer
  readonly source: EnvelopeSource
  readonly metadata: MetadataWriter
  readonly selection: Selection
}

export function makeMessageContext(
  consumer: Consumer,
  source: EnvelopeSource,
  selection: Selection,
): MessageContext {
  const { id, name, annotations } = consumer
  const isPlain = Object.keys(annotations).length === 0
  const consumerJson = JSON.stringify(isPlain ? { id, name } : { id, name, annotations })
  return { consumer, source, metadata: new MetadataWriter(source, consumerJson), selection }
}

/** The messages of a claim whose tick is stored. */
export function makeMessages(context: MessageContext, claim: Claim): LeasedMessage[] {
  const { lease, entries } = claim
  const shared: LeaseContext = {
    context,
    prefix: ackIdPrefix(context.consumer.consumerNo, lease.leaseNo, lease.nonce),
    end: `,"lease_expires_at":"${new Date(lease.expiresMs).toISOString()}"`,
  }
  return entries.map((entry, ordinal) => {
    const { attempt, replayNo } = lease.items[ordinal]!
    return new Message(shared, entry, ordinal, attempt, replayNo)
  })
}

/** What the messages of one lease share. */
interface LeaseContext {
  readonly context: MessageContext
  /** Of their ack ids. */
  readonly prefix: string
  /** Of what they say of their delivery, but for a replay. */
  readonly end: string
}

class Message implements LeasedMessage {
  readonly ackId: string
  readonly attempt: number
  readonly #entry: LogEntry
  readonly #replayNo: number
  readonly #shared: LeaseContext

  constructor(
    shared: LeaseContext,
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

  get size(): number {
    return this.#entry.size + ENVELOPE_BYTES
  }

  toJson(): string {
    return `{"ack_id":"${this.ackId}","record":${this.#rest()}`
  }

  toPushJson(): string {
    return `{"record":${this.#rest()}`
  }

  /** Joined, never parsed or stringified: record and changes are JSON text since they were captured. */
  #rest(): string {
    const { context, end } = this.#shared
    const { record, changes } = context.selection.project(this.#entry)
    const group = this.group
    const replay = this.#replayNo === 0 ? '' : `,"replay":${this.#replayNo}`
    return (
      `${record}${changes === null ? ',"changes":null' : `,"changes":${changes}`}` +
      `${context.metadata.write(this.#entry)},"delivery":{"attempt":${this.attempt}` +
      `,"group":${group === null ? 'null' : JSON.stringify(group)}${end}${replay}}}`
    )
  }
}
