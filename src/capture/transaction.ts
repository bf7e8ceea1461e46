import type { BeginMessage, LogicalMessage } from './pgoutput/message.ts'

const ANNOTATION_PREFIX = 'millrace.annotate'
/** Annotations are repeated in every change of the transaction. */
const ANNOTATION_BYTES_MAX = 16 * 1024

/** The last change that is stored. */
export interface Position {
  readonly commitLsn: bigint
  readonly commitIdx: number
}

/** A transaction of the stream, between its begin and its commit. */
export interface Transaction {
  readonly xid: number
  readonly commitLsn: bigint
  readonly lsnText: string
  readonly committedAtUs: number
  /** Changes up to this ordinal are stored. */
  readonly storedIdx: number
  /** Ordinal of its newest change. */
  commitIdx: number
  annotations: Record<string, unknown> | null
  /** The annotations as a member of `extra`. */
  extra: string | null
}

export function beginTransaction(
  { commitLsn, committedAtUs, xid }: BeginMessage,
  stored: Position,
): Transaction {
  let storedIdx = 0
  if (commitLsn < stored.commitLsn) storedIdx = Number.MAX_SAFE_INTEGER
  else if (commitLsn === stored.commitLsn) storedIdx = stored.commitIdx
  return {
    xid,
    commitLsn,
    lsnText: String(commitLsn),
    committedAtUs,
    storedIdx,
    commitIdx: 0,
    annotations: null,
    extra: null,
  }
}

/** Counts a change; false: it is stored already. */
export function countChange(transaction: Transaction): boolean {
  transaction.commitIdx++
  return transaction.commitIdx > transaction.storedIdx
}

/** Later annotations of a transaction add to the earlier ones; other messages say nothing. */
export function annotate(
  transaction: Transaction,
  { transactional, prefix, content }: LogicalMessage,
): void {
  if (!transactional || prefix !== ANNOTATION_PREFIX || content === null) return
  if (content.length > ANNOTATION_BYTES_MAX) return
  const added = parseObject(content)
  if (!added) return
  transaction.annotations = { ...transaction.annotations, ...added }
  transaction.extra = `"transaction_annotations":${JSON.stringify(transaction.annotations)}`
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}
