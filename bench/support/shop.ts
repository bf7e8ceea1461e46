import { randomBytes } from 'node:crypto'

import pg from 'pg'

import type { BenchPostgres } from './bench-postgres.ts'
import { createOrders } from './orders.ts'

/** The database whose orders are captured. */
export interface Shop {
  readonly url: string
  /** Begins with what is committed after it. */
  createSlot(): Promise<string>
  /** Stands where `slot` stands, so that another can read the same once more. */
  copySlot(slot: string): Promise<string>
  dropSlot(slot: string): Promise<void>
  /** Everything up to now lies before it. */
  readLsn(): Promise<string>
  close(): Promise<void>
}

export async function createShop(postgres: BenchPostgres): Promise<Shop> {
  const url = await postgres.createDatabase('shop')
  await createOrders(url)
  const client = new pg.Client(url)
  await client.connect()
  const name = (): string => `bench_${randomBytes(6).toString('hex')}`
  return {
    url,
    async createSlot() {
      const slot = name()
      await client.query(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [slot])
      return slot
    },
    async copySlot(slot) {
      const copy = name()
      await client.query('select pg_copy_logical_replication_slot($1, $2)', [slot, copy])
      return copy
    },
    async dropSlot(slot) {
      await client.query('select pg_drop_replication_slot($1)', [slot])
    },
    async readLsn() {
      const { rows } = await client.query<{ lsn: string }>(
        // Flushed: a commit that did not wait for the disk is not sent before.
        `select pg_logical_emit_message(true, 'bench', '', true)::text as lsn`,
      )
      return rows[0]!.lsn
    },
    close: () => client.end(),
  }
}
