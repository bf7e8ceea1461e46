import fc from 'fast-check'

/** The settings of the consumer that a run is about. */
export interface Settings {
  ordering: 'group' | 'none'
  maxDeliveries: number | null
}

export const settings: fc.Arbitrary<Settings> = fc.record({
  ordering: fc.constantFrom('group', 'group', 'group', 'none'),
  maxDeliveries: fc.constantFrom(null, null, 3),
})

/** What clients, operators and time may do to a queue. Indexes are taken modulo what there is. */
export type Command =
  | { kind: 'append'; changes: { id: number; oldId?: number }[] }
  | { kind: 'receive'; process: number; batchSize: number; visibilityTimeoutMs: number }
  | { kind: 'receiveTogether'; batchSize: number; callers: number }
  /** Both in one tick, as of a receive that carries acks. */
  | { kind: 'ackAndReceive'; process: number; picks: number[]; batchSize: number }
  | { kind: 'ack'; process: number; picks: number[] }
  | { kind: 'nack'; process: number; picks: number[]; delayMs: number | null; count: boolean }
  | { kind: 'deadLetter'; process: number; picks: number[] }
  | { kind: 'extend'; process: number; picks: number[]; ms: number }
  | { kind: 'giveBack'; pick: number }
  | { kind: 'passTime'; ms: number }
  | { kind: 'restart'; process: number }
  | { kind: 'pause' }
  | { kind: 'resume' }
  | { kind: 'seek'; part: number }
  | { kind: 'replay'; from: number; to: number }
  | { kind: 'redrive' }
  | { kind: 'discard' }
  | { kind: 'purge' }

const id = fc.integer({ min: 1, max: 5 })
const process = fc.integer({ min: 0, max: 2 })
const picks = fc.array(fc.nat(50), { minLength: 1, maxLength: 8 })
const part = fc.integer({ min: 0, max: 100 })

/** Weighted so that most of the time messages flow, and now and then something rare comes between. */
export const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      changes: fc.array(
        fc.oneof(
          { weight: 9, arbitrary: fc.record({ id }) },
          { weight: 1, arbitrary: fc.record({ id, oldId: id }) },
        ),
        { minLength: 1, maxLength: 12 },
      ),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('receive' as const),
      process,
      batchSize: fc.integer({ min: 1, max: 8 }),
      visibilityTimeoutMs: fc.constantFrom(1000, 30_000, 600_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('receiveTogether' as const),
      batchSize: fc.integer({ min: 1, max: 4 }),
      callers: fc.integer({ min: 2, max: 6 }),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('ack' as const), process, picks }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('ackAndReceive' as const),
      process,
      picks,
      batchSize: fc.integer({ min: 1, max: 8 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('nack' as const),
      process,
      picks,
      delayMs: fc.constantFrom(null, 0, 0, 5000, 100_000),
      count: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deadLetter' as const), process, picks }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('extend' as const),
      process,
      picks,
      ms: fc.constantFrom(1000, 60_000, 3_600_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('giveBack' as const), pick: fc.nat(20) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('passTime' as const),
      ms: fc.constantFrom(500, 2000, 31_000, 700_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), process }) },
  { weight: 1, arbitrary: fc.constantFrom<Command>({ kind: 'pause' }, { kind: 'resume' }) },
  {
    weight: 1,
    arbitrary: fc.oneof(
      fc.record({ kind: fc.constant('seek' as const), part }),
      fc.record({ kind: fc.constant('replay' as const), from: part, to: part }),
      fc.constantFrom<Command>({ kind: 'redrive' }, { kind: 'discard' }, { kind: 'purge' }),
    ),
  },
)
