import type pg from 'pg'

/** The parts of pg's wire connection that a COPY needs; pg does not publish its type. */
interface Wire {
  query(text: string): void
  endCopyFrom(): void
  readonly stream: { write(chunk: Buffer): boolean; cork(): void; uncork(): void }
}

/**
 * A query of several statements, one of them a COPY FROM STDIN, with its data: one
 * round trip in all. The data follows the query without waiting for the server to ask
 * for it; a server that failed before it came to the COPY ignores the data.
 */
export function runCopyQuery(
  client: pg.ClientBase,
  text: string,
  chunks: readonly Buffer[],
): Promise<void> {
  return new Promise((resolve, reject) => {
    client.query(new CopyQuery(text, chunks, (error) => (error ? reject(error) : resolve())))
  })
}

/** What pg calls a submittable: it is handed the connection and the answers. */
class CopyQuery implements pg.Submittable {
  /** pg looks for it, to end a query whose connection breaks. */
  readonly callback: (error: Error | null) => void
  readonly #text: string
  readonly #chunks: readonly Buffer[]
  #error: Error | null = null

  constructor(text: string, chunks: readonly Buffer[], done: (error: Error | null) => void) {
    this.#text = text
    this.#chunks = chunks
    this.callback = done
  }

  submit(connection: pg.Connection): void {
    const wire = connection as unknown as Wire
    wire.stream.cork()
    wire.query(this.#text)
    for (const chunk of this.#chunks) wire.stream.write(chunk)
    wire.endCopyFrom()
    wire.stream.uncork()
  }

  handleError(error: Error): void {
    // The connection is usable again only after `ReadyForQuery`, which a broken one never sends.
    this.#error = error
    this.callback(error)
  }

  handleReadyForQuery(): void {
    if (!this.#error) this.callback(null)
  }

  handleCopyInResponse(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleCommandComplete(): void {}
  handleEmptyQuery(): void {}
}
