import { expect, test } from 'vitest'

import { Latencies } from '../../src/queue/latencies.ts'

test('latencies are those of the last minute', () => {
  const latencies = new Latencies()
  expect(latencies.summarize(0)).toBeNull()
  for (let ms = 1; ms <= 100; ms += 1) latencies.add(ms, 10)
  expect(latencies.summarize(69)).toEqual({ p50_ms: 51, p95_ms: 96 })
  latencies.add(5, 60)
  expect(latencies.summarize(70)).toEqual({ p50_ms: 5, p95_ms: 5 })
  expect(latencies.summarize(120)).toBeNull()
})
