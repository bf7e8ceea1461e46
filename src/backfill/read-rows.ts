import type pg from 'pg'

/** A page is cut off here; one row always fits. */
export const PAGE_BYTES_MAX = 2 * 1024 * 1024
/** What comes behind the cut is thrown away, up to so much. */
const REST_BYTES_MAX = 64 * 1024 * 1024

/** Rows were much larger than those before: the page must be smaller. */
export class PageTooLargeError extends Error {
  override readonly name = 'PageTooLargeError'
}

/** The table is not any more what it was described as. */
export class TableChangedError extends Error {
  override readonly name = 'TableChangedError'
}

export interface ReadRows {
  /** Text of `pg_current_snapshot()` that all rows belong to. */
  readonly snapshot: string
  readonly rows: readonly (readonly (string | null)[])[]
  readonly bytes: number
  /** Rows were left out at the end. */
  readonly isCut: boolean
}

/** The part of pg's wire connection that is needed here; pg does not publish its type. */
interface Wire {
  query(text: string): void
  readonly stream: { destroy(error?: Error): void }
}

interface PageStatements {
  /** What keeps the table as it is until the end; null: nothing. */
  readonly lock: string | null
  /** What describes the table: the first column of its first row. */
  readonly question: string
  /** What the question was answered with when the page was written. */
  readonly answer: string
  readonly page: string
}

/**
 * Reads one page in a transaction of its own, one round trip in all. Nothing of the
 * source is held when it returns: neither locks nor a snapshot. After an error the
 * connection needs a rollback.
 * @throws TableChangedError where the question has another answer: also when the page was
 * refused for that, as for a column that is gone
 * @throws PageTooLargeError
 */
export function readRows(
  client: pg.ClientBase,
  { lock, question, answer, page }: PageStatements,
  timeoutMs: number,
): Promise<ReadRows> {
  // A role that row security hides rows from gets an error, not a part of the table. The lock
  // comes before the snapshot: what that sees of the catalogue is then how the table is read.
  const text = `begin isolation level repeatable read read only;
    set local row_security = off; set local statement_timeout = ${timeoutMs};
    ${lock === null ? '' : `${lock};`} select pg_current_snapshot()::text; ${question}; ${page}; commit`
  return new Promise((resolve, reject) => {
    client.query(
      new RowsQuery(text, answer, (error, rows) => (error ? reject(error) : resolve(rows!))),
    )
  })
}

/** Takes texts as they come, without types, and does not keep more than a page of them. */
class RowsQuery implements pg.Submittable {
  /** pg looks for it, to end a query whose connection breaks. */
  callback: (error: Error | null, rows?: ReadRows) => void
  readonly #text: string
  readonly #expected: string
  readonly #rows: (readonly (string | null)[])[] = []
  #wire: Wire | undefined
  /** Of three: the snapshot, the question's, the page. */
  #result = 0
  #snapshot = ''
  #answer: string | null = null
  #isAnswered = false
  #bytes = 0
  #restBytes = 0
  #isCut = false
  #error: Error | null = null

  constructor(
    text: string,
    expected: string,
    done: (error: Error | null, rows?: ReadRows) => void,
  ) {
    this.#text = text
    this.#expected = expected
    this.callback = done
  }

  submit(connection: pg.Connection): void {
    this.#wire = connection as unknown as Wire
    this.#wire.query(this.#text)
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    if (this.#result === 1) {
      this.#snapshot = fields[0]!
      return
    }
    if (this.#result === 2) {
      this.#answer ??= fields[0]!
      return
    }
    let bytes = 0
    for (const field of fields) bytes += field?.length ?? 0
    if (this.#isCut || (this.#rows.length > 0 && this.#bytes + bytes > PAGE_BYTES_MAX)) {
      this.#isCut = true
      this.#restBytes += bytes
      if (this.#restBytes > REST_BYTES_MAX) {
        this.#wire!.stream.destroy(new PageTooLargeError('the rest of the page is too large'))
      }
      return
    }
    this.#bytes += bytes
    this.#rows.push(fields)
  }

  handleError(error: Error): void {
    this.#error = this.#hasChanged ? changed(error) : error
    this.callback(this.#error)
  }

  handleReadyForQuery(): void {
    if (this.#error) return
    if (this.#hasChanged) {
      this.callback(changed())
      return
    }
    this.callback(null, {
      snapshot: this.#snapshot,
      rows: this.#rows,
      bytes: this.#bytes,
      isCut: this.#isCut,
    })
  }

  handleRowDescription(): void {
    this.#result += 1
  }

  handleCommandComplete(): void {
    this.#isAnswered ||= this.#result === 2
  }

  handleEmptyQuery(): void {}

  get #hasChanged(): boolean {
    return this.#isAnswered && this.#answer !== this.#expected
  }
}

function changed(cause?: Error): TableChangedError {
  return new TableChangedError('the table has changed', { cause })
}
