import { expect, test } from 'vitest'

import { RateLimit } from '../../src/push/rate-limit.ts'
import { ManualClock } from './support/manual-clock.ts'

test.each([0.5, 1, 7, 50, 400])('lets %d requests a second through, and no more', (perSecond) => {
  const clock = new ManualClock()
  const rate = new RateLimit(clock, perSecond)
  const SECONDS = 20
  const endMs = clock.now() + SECONDS * 1000
  let sent = 0
  while (clock.now() < endMs) {
    if (rate.waitMs > 0) clock.advance(rate.waitMs)
    else {
      rate.take()
      sent++
    }
  }
  const burst = Math.max(1, perSecond / 10)
  expect(sent).toBeLessThanOrEqual(perSecond * SECONDS + burst + 1)
  expect(sent).toBeGreaterThanOrEqual(perSecond * SECONDS * 0.9)
})

test('does not save up a pause', () => {
  const clock = new ManualClock()
  const rate = new RateLimit(clock, 10)
  clock.advance(3_600_000)
  rate.take()
  expect(rate.waitMs).toBeGreaterThan(0)
})

test('null is no limit', () => {
  const rate = new RateLimit(new ManualClock(), null)
  for (let sent = 0; sent < 10_000; sent++) rate.take()
  expect(rate.waitMs).toBe(0)
})
