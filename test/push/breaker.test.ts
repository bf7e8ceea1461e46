import { describe, expect, test } from 'vitest'

import { Breaker } from '../../src/push/breaker.ts'
import { ManualClock } from './support/manual-clock.ts'

const limits = { random: () => 0.5 }

function failTimes(breaker: Breaker, count: number): void {
  for (let index = 0; index < count; index++) breaker.fail(false)
}

describe('the breaker', () => {
  test('opens on the fifth failure in a row', () => {
    const breaker = new Breaker(new ManualClock(), limits)
    failTimes(breaker, 4)
    expect(breaker.isClosed).toBe(true)
    breaker.fail(false)
    expect(breaker.isClosed).toBe(false)
    expect(breaker.waitMs).toBe(1000)
  })

  test('stays closed while one message fails among others that do not', () => {
    const breaker = new Breaker(new ManualClock(), limits)
    for (let round = 0; round < 100; round++) {
      failTimes(breaker, 3)
      breaker.succeed(false)
      breaker.succeed(false)
    }
    expect(breaker.isClosed).toBe(true)
  })

  test('opens when four in five fail, though never five in a row', () => {
    const breaker = new Breaker(new ManualClock(), limits)
    let requests = 0
    while (breaker.isClosed && requests < 100) {
      if (requests % 5 === 4) breaker.succeed(false)
      else breaker.fail(false)
      requests++
    }
    expect(requests).toBeGreaterThanOrEqual(50)
    expect(breaker.isClosed).toBe(false)
  })

  test('lets one probe through at a time, ever more rarely, up to one a minute', () => {
    const clock = new ManualClock()
    const breaker = new Breaker(clock, limits)
    failTimes(breaker, 5)
    const waits: number[] = []
    for (let probe = 0; probe < 9; probe++) {
      waits.push(breaker.waitMs)
      clock.advance(breaker.waitMs)
      expect(breaker.waitMs).toBe(0)
      expect(breaker.enter()).toBe(true)
      expect(breaker.waitMs).toBe(Infinity)
      breaker.fail(true)
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000])
  })

  test('closes when the probe succeeds, and begins anew', () => {
    const clock = new ManualClock()
    const breaker = new Breaker(clock, limits)
    failTimes(breaker, 5)
    clock.advance(1000)
    breaker.enter()
    breaker.succeed(true)
    expect(breaker.isClosed).toBe(true)
    expect(breaker.enter()).toBe(false)
    failTimes(breaker, 5)
    expect(breaker.waitMs).toBe(1000)
  })

  test('is not closed or lengthened by requests that were sent before it opened', () => {
    const breaker = new Breaker(new ManualClock(), limits)
    failTimes(breaker, 9)
    breaker.succeed(false)
    expect(breaker.isClosed).toBe(false)
    expect(breaker.waitMs).toBe(1000)
  })

  test('is not held open by a clock that is set back', () => {
    const clock = new ManualClock()
    const breaker = new Breaker(clock, limits)
    failTimes(breaker, 5)
    clock.advance(400)
    clock.setBack(3_600_000)
    expect(breaker.waitMs).toBe(1000)
    clock.advance(1000)
    expect(breaker.waitMs).toBe(0)
  })

  test('remembers since when the endpoint fails', () => {
    const clock = new ManualClock()
    const breaker = new Breaker(clock, limits)
    const start = clock.now()
    breaker.fail(false)
    clock.advance(5000)
    breaker.fail(false)
    expect(breaker.failingSinceMs).toBe(start)
    breaker.succeed(false)
    expect(breaker.failingSinceMs).toBeNull()
  })
})
