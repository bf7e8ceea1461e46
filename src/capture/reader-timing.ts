/** The intervals of a reader. Tests shorten them; nobody else has a reason to. */
export interface ReaderTiming {
  readonly backoffMinMs: number
  readonly backoffMaxMs: number
  /** Between two tries while the slot is held by somebody else. */
  readonly slotInUseMs: number
  /** Between two looks at whether a person has mended the source. */
  readonly attentionMs: number
  /** Between two looks at the publication. */
  readonly watchMs: number
  readonly heartbeatMs: number
  /** An idle slot is moved on after this time, or past this much WAL. */
  readonly idleConfirmMs: number
  readonly idleConfirmBytes: bigint
}

export const READER_TIMING: ReaderTiming = {
  backoffMinMs: 250,
  backoffMaxMs: 30_000,
  slotInUseMs: 1_000,
  attentionMs: 15_000,
  watchMs: 30_000,
  heartbeatMs: 60_000,
  idleConfirmMs: 10_000,
  idleConfirmBytes: 16n * 1024n * 1024n,
}
