import type { BackfillProgress, Flush, Undecodable } from '../log/append.ts'
import type { LogEntry, Relation } from '../log/entry.ts'
import { DecodeError } from './pgoutput/decode-error.ts'
import type {
  BeginMessage,
  LogicalMessage,
  Message,
  RelationMessage,
  RowMessage,
  TruncateMessage,
} from './pgoutput/message.ts'
import { WATERMARK_PREFIX, type Page, type PageRow, type PageWindow } from './page-window.ts'
import { parseMessage } from './pgoutput/parse-message.ts'
import { RowDecoder } from './pgoutput/row-decoder.ts'
import { planRows, type RowPlan } from './pgoutput/row-plan.ts'
import type { TypeCatalogue } from './pgoutput/type-catalogue.ts'
import type { RelationRegistry } from './relation-registry.ts'

const ANNOTATION_PREFIX = 'millrace.annotate'
/** Annotations are repeated in every change of the transaction. */
const ANNOTATION_BYTES_MAX = 16 * 1024
/** Of a change that cannot be decoded; it goes to the storage as text of twice the size. */
const KEPT_BYTES_MAX = 64 * 1024 * 1024
/** What an entry costs in memory besides its texts, about. */
const ENTRY_BYTES = 200
const OWN_SCHEMA = 'millrace'

/** The last change that is stored. */
export interface Position {
  readonly commitLsn: bigint
  readonly commitIdx: number
}

interface AssemblerOptions {
  readonly position: Position
  readonly nextSeq: number
  /** What the source may be told already. */
  readonly endLsn: bigint
  readonly relations: RelationRegistry
  readonly catalogue: TypeCatalogue
  /** The source holds the storage too: its tables are not captured, whatever is published. */
  readonly ignoresOwnSchema: boolean
  /** Where the pages of backfills come in. */
  readonly window: PageWindow
}

interface KnownTable {
  readonly plan: RowPlan
  readonly message: RelationMessage
  readonly ignored: boolean
  /** Numbered with its first change: many tables of a publication may never have one. */
  relation: Relation | null
}

interface Transaction {
  readonly xid: number
  readonly commitLsn: bigint
  readonly lsnText: string
  readonly committedAtUs: number
  /** Changes up to this ordinal are stored. */
  readonly storedIdx: number
  commitIdx: number
  annotations: Record<string, unknown> | null
  /** The annotations as a member of `extra`. */
  extra: string | null
}

/**
 * Makes log entries of a stream of messages, leaving out what is stored already. It
 * does no I/O: where a table's types are not known it hands the relation out, and
 * goes on when `define` has been called.
 */
export class ChangeAssembler {
  readonly #options: AssemblerOptions
  readonly #decoder = new RowDecoder()
  readonly #tables = new Map<number, KnownTable>()
  #transaction: Transaction | null = null
  #entries: LogEntry[] = []
  #undecodable: Undecodable[] = []
  #backfills: BackfillProgress[] = []
  #bytes = 0
  #nextSeq: number
  #endLsn: bigint
  #committed = false
  /** A row that did not fit its types. */
  #doubted: { message: RowMessage; buffer: Buffer } | null = null

  constructor(options: AssemblerOptions) {
    this.#options = options
    this.#nextSeq = options.nextSeq
    this.#endLsn = options.endLsn
  }

  /** Between a begin and its commit. */
  get inTransaction(): boolean {
    return this.#transaction !== null
  }

  /** Bytes that wait to be taken. */
  get bytes(): number {
    return this.#bytes
  }

  get count(): number {
    return this.#entries.length + this.#undecodable.length + this.#backfills.length
  }

  /** Something waits, and a transaction has ended since the last `take`. */
  get hasWhole(): boolean {
    return this.#committed && this.count > 0
  }

  /** Behind the last transaction that was seen whole. */
  get endLsn(): bigint {
    return this.#endLsn
  }

  /**
   * Answers a relation whose types or key must be looked up before the next message.
   * @throws DecodeError where the stream itself, not one change, makes no sense
   */
  accept(buffer: Buffer): RelationMessage | null {
    const message = this.#parse(buffer)
    switch (message?.kind) {
      case 'insert':
      case 'update':
      case 'delete':
        return this.#addRow(message, buffer)
      case 'begin':
        this.#begin(message)
        return null
      case 'commit':
        this.#endLsn = message.endLsn
        this.#transaction = null
        this.#committed = true
        return null
      case 'relation':
        return this.#addRelation(message)
      case 'truncate':
        this.#addTruncate(message, buffer)
        return null
      case 'message':
        if (message.prefix === WATERMARK_PREFIX) this.#endPage(message)
        else this.#annotate(message)
        return null
      default:
        return null
    }
  }

  /** `primaryKey`: see `planRows`; asked for under REPLICA IDENTITY FULL and NOTHING only. */
  define(message: RelationMessage, primaryKey: readonly string[] | null): void {
    const { catalogue, ignoresOwnSchema } = this.#options
    this.#tables.set(message.oid, {
      plan: planRows(message, catalogue, primaryKey),
      message,
      ignored: ignoresOwnSchema && message.schema === OWN_SCHEMA,
      relation: null,
    })
    const doubted = this.#doubted
    this.#doubted = null
    if (doubted) this.#addRow(doubted.message, doubted.buffer)
  }

  /** Everything gathered so far. */
  take(): Flush {
    const flush = {
      entries: this.#entries,
      undecodable: this.#undecodable,
      backfills: this.#backfills,
      relations: this.#options.relations.takeFresh(),
      endLsn: this.#endLsn,
    }
    this.#entries = []
    this.#undecodable = []
    this.#backfills = []
    this.#bytes = 0
    this.#committed = false
    return flush
  }

  /** A change that is cut short is set aside; anything else cut short ends the stream. */
  #parse(buffer: Buffer): Message | null {
    try {
      return parseMessage(buffer)
    } catch (error) {
      const change = buffer.length > 0 && 'IUDT'.includes(String.fromCharCode(buffer[0]!))
      if (!change || !(error instanceof DecodeError)) throw error
      const transaction = this.#expectTransaction(buffer)
      if (this.#next(transaction)) this.#setAside(transaction, buffer, error, null)
      return null
    }
  }

  #begin({ commitLsn, committedAtUs, xid }: BeginMessage): void {
    const { position, window } = this.#options
    window.noteTransaction(xid)
    let storedIdx = 0
    if (commitLsn < position.commitLsn) storedIdx = Number.MAX_SAFE_INTEGER
    else if (commitLsn === position.commitLsn) storedIdx = position.commitIdx
    this.#transaction = {
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

  #addRelation(message: RelationMessage): RelationMessage | null {
    // The one marks all columns as its key, the other none.
    const unmarked = message.replicaIdentity === 'f' || message.replicaIdentity === 'n'
    const unknown = message.columns.some(({ typeOid }) => !this.#options.catalogue.has(typeOid))
    if (unmarked || unknown) return message
    this.define(message, null)
    return null
  }

  #addRow(message: RowMessage, buffer: Buffer): RelationMessage | null {
    const transaction = this.#expectTransaction(buffer)
    const table = this.#tables.get(message.relationOid)
    if (table?.ignored || !this.#next(transaction)) return null
    const decoder = this.#decoder
    try {
      if (!table) throw unknownTable(buffer, message.relationOid)
      decoder.decode(message.kind, table.plan, buffer)
    } catch (error) {
      this.#setAside(
        transaction,
        buffer,
        toDecodeError(buffer, error),
        table ? this.#relationOf(table) : null,
      )
      return null
    }
    if (this.#options.catalogue.takeDoubt()) {
      // Read once more when its types have been looked up again.
      transaction.commitIdx--
      this.#doubted = { message, buffer: Buffer.from(buffer) }
      return table.message
    }
    if (message.relationOid === this.#options.window.relationOid) {
      this.#noteChange(transaction.xid, message.kind)
    }
    this.#entries.push({
      seq: this.#nextSeq++,
      commitLsn: transaction.lsnText,
      commitIdx: transaction.commitIdx,
      committedAtUs: transaction.committedAtUs,
      relation: this.#relationOf(table),
      action: message.kind,
      recipientNo: null,
      key: decoder.key,
      oldKey: decoder.oldKey,
      record: decoder.record,
      changes: decoder.changes,
      extra: joinExtra(transaction.extra, decoder.unchanged),
      size: decoder.size,
    })
    this.#bytes += decoder.size + ENTRY_BYTES
    return null
  }

  /** What the decoder has just read; an insert without a key is in no page that did not see it. */
  #noteChange(xid: number, kind: RowMessage['kind']): void {
    const { window } = this.#options
    const { key, oldKey, unchanged } = this.#decoder
    if (key !== null || kind !== 'insert') window.noteChange(xid, key, unchanged !== null)
    if (oldKey !== null) window.noteChange(xid, oldKey, false)
  }

  /** A transaction of its own, which holds nothing else. */
  #endPage({ transactional, content }: LogicalMessage): void {
    const transaction = this.#transaction
    if (!transaction || !transactional || content === null) return
    const settled = this.#options.window.settle(content)
    if (!settled) return
    for (const row of settled.kept) this.#addRead(transaction, settled.page, row)
    if (settled.progress) this.#backfills.push(settled.progress)
  }

  #addRead(transaction: Transaction, page: Page, row: PageRow): void {
    const { key, record, size, error } = row
    const relation = this.#options.relations.resolve(page.message, page.plan)
    transaction.commitIdx++
    this.#bytes += size + ENTRY_BYTES
    if (error !== null) {
      const { commitLsn, commitIdx } = transaction
      const { relationNo } = relation
      this.#undecodable.push({
        commitLsn,
        commitIdx,
        relationNo,
        error,
        bytes: Buffer.from(record),
      })
      return
    }
    this.#entries.push({
      seq: this.#nextSeq++,
      commitLsn: transaction.lsnText,
      commitIdx: transaction.commitIdx,
      committedAtUs: transaction.committedAtUs,
      relation,
      action: 'read',
      recipientNo: page.recipientNo,
      key,
      oldKey: null,
      record,
      changes: null,
      extra: null,
      size,
    })
  }

  #addTruncate(message: TruncateMessage, buffer: Buffer): void {
    const transaction = this.#expectTransaction(buffer)
    const { window } = this.#options
    for (const oid of message.relationOids) {
      const table = this.#tables.get(oid)
      if (table?.ignored || !this.#next(transaction)) continue
      if (oid === window.relationOid) window.noteTruncate(transaction.xid)
      if (!table) {
        this.#setAside(transaction, buffer, unknownTable(buffer, oid), null)
        continue
      }
      this.#entries.push({
        seq: this.#nextSeq++,
        commitLsn: transaction.lsnText,
        commitIdx: transaction.commitIdx,
        committedAtUs: transaction.committedAtUs,
        relation: this.#relationOf(table),
        action: 'truncate',
        recipientNo: null,
        key: null,
        oldKey: null,
        record: '{}',
        changes: null,
        extra: transaction.extra,
        size: 2,
      })
      this.#bytes += ENTRY_BYTES
    }
  }

  /** Later annotations of a transaction add to the earlier ones. */
  #annotate({ transactional, prefix, content }: LogicalMessage): void {
    const transaction = this.#transaction
    if (!transaction || !transactional || prefix !== ANNOTATION_PREFIX || content === null) return
    if (content.length > ANNOTATION_BYTES_MAX) return
    const added = parseObject(content)
    if (!added) return
    transaction.annotations = { ...transaction.annotations, ...added }
    transaction.extra = `"transaction_annotations":${JSON.stringify(transaction.annotations)}`
  }

  /** Counts the change; false: it is stored already. */
  #next(transaction: Transaction): boolean {
    transaction.commitIdx++
    return transaction.commitIdx > transaction.storedIdx
  }

  #relationOf(table: KnownTable): Relation {
    table.relation ??= this.#options.relations.resolve(table.message, table.plan)
    return table.relation
  }

  #setAside(
    { commitLsn, commitIdx }: Transaction,
    buffer: Buffer,
    error: DecodeError,
    relation: Relation | null,
  ): void {
    const bytes = Buffer.from(buffer.subarray(0, KEPT_BYTES_MAX))
    const cut = buffer.length - bytes.length
    this.#undecodable.push({
      commitLsn,
      commitIdx,
      relationNo: relation?.relationNo ?? null,
      error: cut === 0 ? error.message : `${error.message} (its last ${cut} bytes are not kept)`,
      bytes,
    })
    this.#bytes += bytes.length + ENTRY_BYTES
  }

  #expectTransaction(buffer: Buffer): Transaction {
    if (this.#transaction) return this.#transaction
    throw new DecodeError(String.fromCharCode(buffer[0]!), 0, 'a change outside of a transaction')
  }
}

function unknownTable(buffer: Buffer, oid: number): DecodeError {
  return new DecodeError(String.fromCharCode(buffer[0]!), 1, `no table has the OID ${oid}`)
}

/** A record may come out longer than the engine's longest string. */
function toDecodeError(buffer: Buffer, error: unknown): DecodeError {
  if (error instanceof DecodeError) return error
  if (!(error instanceof RangeError)) throw error
  return new DecodeError(String.fromCharCode(buffer[0]!), 0, error.message)
}

function joinExtra(transaction: string | null, unchanged: string | null): string | null {
  if (unchanged === null) return transaction
  const columns = `"unchanged_columns":[${unchanged}]`
  return transaction === null ? columns : `${transaction},${columns}`
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
