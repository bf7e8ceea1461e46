import { expect, test } from 'vitest'

import { runSoak } from './soak.ts'

test(
  'the log is what the source did, though everything around it breaks',
  { timeout: 240_000 },
  async () => {
    const result = await runSoak({ durationMs: 15_000, seed: 11, note: () => {} })
    expect(result.problems).toEqual([])
    expect(result.faults.size).toBeGreaterThan(1)
    expect(result.replay.changes).toBeGreaterThan(100)
    expect(result.replay.rows).toBeGreaterThan(100)
  },
)
