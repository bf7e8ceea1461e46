/** What a reader counts since it was made; plain numbers, read by whoever reports them. */
export interface ReaderMetrics {
  changes: number
  /** Of records and changes. */
  bytes: number
  flushes: number
  undecodable: number
  /** WAL that the source has written and we have not stored. */
  lagBytes: number
  /** Transactions since the oldest whose catalogue rows the source keeps for the slot. */
  catalogXminAge: number
  /** Sessions that ended with an error. */
  failures: number
  /** Stretches of WAL on record whose changes were missed. */
  gaps: number
}

export function createReaderMetrics(): ReaderMetrics {
  return {
    changes: 0,
    bytes: 0,
    flushes: 0,
    undecodable: 0,
    lagBytes: 0,
    catalogXminAge: 0,
    failures: 0,
    gaps: 0,
  }
}
