import type { Database } from '../storage/database.ts'
import type { EnvelopeSource } from '../log/envelope.ts'
import type { Consumer } from './consumer.ts'
import { readConsumer } from './read-consumer.ts'

/** The sources and consumers of the storage, in memory; read anew when told that they changed. */
export class Directory {
  readonly #database: Database
  #byKey = new Map<string, Consumer>()
  #byNo = new Map<number, Consumer>()
  #sources = new Map<number, EnvelopeSource>()
  #loading: Promise<void> | undefined
  #again = false

  constructor(database: Database) {
    this.#database = database
  }

  /** By id or name. */
  find(idOrName: string): Consumer | undefined {
    return this.#byKey.get(idOrName)
  }

  get(consumerNo: number): Consumer | undefined {
    return this.#byNo.get(consumerNo)
  }

  getSource(sourceNo: number): EnvelopeSource | undefined {
    return this.#sources.get(sourceNo)
  }

  listConsumers(): Consumer[] {
    return [...this.#byNo.values()]
  }

  listSourceNos(): number[] {
    return [...this.#sources.keys()]
  }

  /** Reads all anew. A call while one is under way is followed by another: it may have read too early. */
  async refresh(): Promise<void> {
    if (this.#loading) {
      this.#again = true
      return this.#loading
    }
    this.#loading = this.#loadAll()
    return this.#loading
  }

  async #loadAll(): Promise<void> {
    try {
      do {
        this.#again = false
        await this.#load()
      } while (this.#again)
    } finally {
      // In the same turn as the last look: who asks from here on begins anew.
      this.#loading = undefined
    }
  }

  async #load(): Promise<void> {
    const { db } = this.#database
    // Consumers first: each has a source that was there before it, and so is found afterwards.
    const rows = await db.selectFrom('millrace.consumer').selectAll().execute()
    const sources = await db
      .selectFrom('millrace.source')
      .select(['source_no', 'id', 'name'])
      .execute()
    const consumers = rows.map(readConsumer)
    this.#sources = new Map(sources.map(({ source_no, id, name }) => [source_no, { id, name }]))
    this.#byNo = new Map(consumers.map((consumer) => [consumer.consumerNo, consumer]))
    this.#byKey = new Map(
      consumers.flatMap((consumer) => [
        [consumer.id, consumer],
        [consumer.name, consumer],
      ]),
    )
  }
}
