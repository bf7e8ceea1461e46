import type pg from 'pg'

import type { Random } from '../../support/random.ts'

export const ORDERS =
  'create table orders (id int primary key, version int not null, customer text not null)'

const TRANSACTION_MAX = 50
const UPDATE_SHARE = 0.3

/** A version of a row, as the log and the consumers should see it. */
export function formatChange(id: number, version: number): string {
  return `${id}:${version}`
}

/**
 * Writes orders and new versions of orders in transactions of 1 to 50 changes, and
 * keeps what was committed: the table itself remembers the last version only.
 */
export class OrderWriter {
  /** In commit order. */
  readonly committed: string[] = []
  readonly #query: pg.Client['query']
  readonly #random: Random
  readonly #versions: number[] = [0]
  readonly #ordersMax: number

  constructor(
    query: pg.Client['query'],
    random: Random,
    ordersMax: number,
    found: readonly { id: number; version: number }[] = [],
  ) {
    this.#query = query
    this.#random = random
    this.#ordersMax = ordersMax
    for (const { id, version } of found) this.#versions[id] = version
  }

  get orders(): number {
    return this.#versions.length - 1
  }

  /** One transaction, in one round trip. After an error nothing of it counts. */
  async write(): Promise<void> {
    const size = this.#random.between(1, TRANSACTION_MAX)
    const versions = new Map<number, number>()
    const changes: string[] = []
    const statements: string[] = []
    let next = this.#versions.length
    for (let count = 0; count < size; count++) {
      const isUpdate = next > 1 && (next > this.#ordersMax || this.#random.chance(UPDATE_SHARE))
      const id = isUpdate ? this.#random.between(Math.max(1, next - 200), next - 1) : next++
      const version = (versions.get(id) ?? this.#versions[id] ?? 0) + 1
      versions.set(id, version)
      changes.push(formatChange(id, version))
      statements.push(
        isUpdate
          ? `update orders set version = ${version} where id = ${id}`
          : `insert into orders values (${id}, ${version}, 'customer ${id % 97}')`,
      )
    }
    // Several statements in one query are one transaction.
    await this.#query(statements.join(';\n'))
    for (const [id, version] of versions) this.#versions[id] = version
    this.committed.push(...changes)
  }
}
