import type { Flush } from '../log/append.ts'
import { ChangeBatch } from './change-batch.ts'
import { KnownTables } from './known-tables.ts'
import { WATERMARK_PREFIX, type Page, type PageRow, type PageWindow } from './page-window.ts'
import { DecodeError } from './pgoutput/decode-error.ts'
import type {
  LogicalMessage,
  Message,
  RelationMessage,
  RowMessage,
  TruncateMessage,
} from './pgoutput/message.ts'
import { parseMessage } from './pgoutput/parse-message.ts'
import { RowDecoder } from './pgoutput/row-decoder.ts'
import type { TypeCatalogue } from './pgoutput/type-catalogue.ts'
import type { RelationRegistry } from './relation-registry.ts'
import {
  annotate,
  beginTransaction,
  countChange,
  type Position,
  type Transaction,
} from './transaction.ts'

interface AssemblerOptions {
  readonly position: Position
  readonly nextSeq: number
  /** What the source may be told already. */
  readonly endLsn: bigint
  readonly relations: RelationRegistry
  readonly catalogue: TypeCatalogue
  /** As of `KnownTables`. */
  readonly ignoresOwnSchema: boolean
  /** Where the pages of backfills come in. */
  readonly window: PageWindow
}

/**
 * Makes log entries of a stream of messages, leaving out what is stored already. It
 * does no I/O: where a table's types are not known it hands the relation out, and
 * goes on when `define` has been called.
 */
export class ChangeAssembler {
  readonly #options: AssemblerOptions
  readonly #window: PageWindow
  readonly #tables: KnownTables
  readonly #batch: ChangeBatch
  readonly #decoder = new RowDecoder()
  #transaction: Transaction | null = null
  #endLsn: bigint
  #committed = false
  /** A row that did not fit its types. */
  #doubted: { message: RowMessage; buffer: Buffer } | null = null

  constructor(options: AssemblerOptions) {
    this.#options = options
    this.#window = options.window
    this.#tables = new KnownTables(options)
    this.#batch = new ChangeBatch(options.nextSeq)
    this.#endLsn = options.endLsn
  }

  /** Between a begin and its commit. */
  get inTransaction(): boolean {
    return this.#transaction !== null
  }

  /** Of what waits to be taken. */
  get count(): number {
    return this.#batch.count
  }

  /** As much waits as one flush should hold. */
  get isFull(): boolean {
    return this.#batch.isFull
  }

  /** Something waits, and a transaction has ended since the last `take`. */
  get hasWhole(): boolean {
    return this.#committed && this.#batch.count > 0
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
        this.#window.noteTransaction(message.xid)
        this.#transaction = beginTransaction(message, this.#options.position)
        return null
      case 'commit':
        this.#endLsn = message.endLsn
        this.#transaction = null
        this.#committed = true
        return null
      case 'relation':
        if (!this.#tables.isClear(message)) return message
        this.define(message, null)
        return null
      case 'truncate':
        this.#addTruncate(message, buffer)
        return null
      case 'message':
        if (message.prefix === WATERMARK_PREFIX) this.#endPage(message)
        else if (this.#transaction) annotate(this.#transaction, message)
        return null
      default:
        return null
    }
  }

  /** As of `KnownTables`: what `accept` has answered, and what was looked up. */
  define(message: RelationMessage, primaryKey: readonly string[] | null): void {
    this.#tables.define(message, primaryKey)
    const doubted = this.#doubted
    this.#doubted = null
    if (doubted) this.#addRow(doubted.message, doubted.buffer)
  }

  /** Everything gathered so far. */
  take(): Flush {
    this.#committed = false
    return {
      ...this.#batch.take(),
      relations: this.#options.relations.takeFresh(),
      endLsn: this.#endLsn,
    }
  }

  /** A change that is cut short is set aside; anything else cut short ends the stream. */
  #parse(buffer: Buffer): Message | null {
    try {
      return parseMessage(buffer)
    } catch (error) {
      const change = buffer.length > 0 && 'IUDT'.includes(String.fromCharCode(buffer[0]!))
      if (!change || !(error instanceof DecodeError)) throw error
      const transaction = this.#expectTransaction(buffer)
      if (countChange(transaction)) this.#batch.setAside(transaction, buffer, error.message, null)
      return null
    }
  }

  #addRow(message: RowMessage, buffer: Buffer): RelationMessage | null {
    const transaction = this.#expectTransaction(buffer)
    const table = this.#tables.get(message.relationOid)
    if (table?.isIgnored || !countChange(transaction)) return null
    const decoder = this.#decoder
    try {
      if (!table) throw unknownTable(buffer, message.relationOid)
      decoder.decode(message.kind, table.plan, buffer)
    } catch (error) {
      const { message: reason } = toDecodeError(buffer, error)
      const relation = table ? this.#tables.relationOf(table) : null
      this.#batch.setAside(transaction, buffer, reason, relation)
      // Nobody can tell which row it changed: a page that did not see it is read again.
      if (message.relationOid === this.#window.relationOid) {
        this.#window.noteChange(transaction.xid, null, false)
      }
      return null
    }
    if (this.#options.catalogue.takeDoubt()) {
      // Read once more when its types have been looked up again.
      transaction.commitIdx--
      this.#doubted = { message, buffer: Buffer.from(buffer) }
      return table.message
    }
    if (message.relationOid === this.#window.relationOid) this.#noteRow(transaction, message)
    this.#batch.add({
      seq: this.#batch.nextSeq,
      commitLsn: transaction.lsnText,
      commitIdx: transaction.commitIdx,
      committedAtUs: transaction.committedAtUs,
      relation: this.#tables.relationOf(table),
      action: message.kind,
      recipientNo: null,
      key: decoder.key,
      oldKey: decoder.oldKey,
      record: decoder.record,
      changes: decoder.changes,
      extra: joinExtra(transaction.extra, decoder.unchanged),
      size: decoder.size,
    })
    return null
  }

  /** What the decoder has just read; an insert without a key is in no page that did not see it. */
  #noteRow({ xid }: Transaction, { kind }: RowMessage): void {
    const { key, oldKey, unchanged } = this.#decoder
    if (key !== null || kind !== 'insert') this.#window.noteChange(xid, key, unchanged !== null)
    if (oldKey !== null) this.#window.noteChange(xid, oldKey, false)
  }

  /** A transaction of its own, which holds nothing else. */
  #endPage({ transactional, content }: LogicalMessage): void {
    const transaction = this.#transaction
    if (!transaction || !transactional || content === null) return
    const settled = this.#window.settle(content)
    if (!settled) return
    for (const row of settled.kept) this.#addRead(transaction, settled.page, row)
    if (settled.progress) this.#batch.addProgress(settled.progress)
  }

  #addRead(transaction: Transaction, page: Page, row: PageRow): void {
    const { key, record, size, error } = row
    const relation = this.#options.relations.resolve(page.message, page.plan)
    transaction.commitIdx++
    if (error !== null) {
      this.#batch.setAside(transaction, Buffer.from(record), error, relation)
      return
    }
    this.#batch.add({
      seq: this.#batch.nextSeq,
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
    for (const oid of message.relationOids) {
      const table = this.#tables.get(oid)
      if (table?.isIgnored || !countChange(transaction)) continue
      if (oid === this.#window.relationOid) this.#window.noteTruncate(transaction.xid)
      if (!table) {
        this.#batch.setAside(transaction, buffer, unknownTable(buffer, oid).message, null)
        continue
      }
      this.#batch.add({
        seq: this.#batch.nextSeq,
        commitLsn: transaction.lsnText,
        commitIdx: transaction.commitIdx,
        committedAtUs: transaction.committedAtUs,
        relation: this.#tables.relationOf(table),
        action: 'truncate',
        recipientNo: null,
        key: null,
        oldKey: null,
        record: '{}',
        changes: null,
        extra: transaction.extra,
        size: 2,
      })
    }
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
