import type pg from 'pg'

import { parseMessage } from '../../src/capture/pgoutput/parse-message.ts'

const SLOT = 'soak_oracle'
const CHUNK_CHANGES = 20_000

/** A second slot, read by Postgres itself when all is over: what there was to capture. */
export async function createOracle(source: pg.Client): Promise<void> {
  await source.query(`select pg_create_logical_replication_slot('${SLOT}', 'pgoutput')`)
}

/** How many changes each transaction had, by its commit LSN as a number in text. */
export async function readOracle(
  source: pg.Client,
  publication: string,
): Promise<Map<string, number>> {
  const changesOf = new Map<string, number>()
  for (;;) {
    const { rows } = await source.query<{ data: Buffer }>(
      `select data from pg_logical_slot_get_binary_changes('${SLOT}', null, ${CHUNK_CHANGES},
         'proto_version', '1', 'publication_names', $1)`,
      [`"${publication}"`],
    )
    if (rows.length === 0) return changesOf
    count(rows, changesOf)
  }
}

/** A chunk ends with a transaction, however large that is. */
function count(rows: readonly { data: Buffer }[], changesOf: Map<string, number>): void {
  let changes = 0
  for (const { data } of rows) {
    const message = parseMessage(data)
    switch (message?.kind) {
      case 'begin':
        changes = 0
        break
      case 'insert':
      case 'update':
      case 'delete':
        changes += 1
        break
      case 'truncate':
        changes += message.relationOids.length
        break
      case 'commit':
        if (changes > 0) changesOf.set(String(message.commitLsn), changes)
        break
      default:
    }
  }
}
