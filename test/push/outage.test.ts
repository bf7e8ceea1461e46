import { describe, expect } from 'vitest'

import type { EndpointAlarm } from '../../src/push/push-observer.ts'
import { givenSource, moveClock, type GivenChange } from '../support/given.ts'
import { givenPushConsumer, test } from './support/given-push.ts'
import { ManualClock } from './support/manual-clock.ts'
import { messagesOf, type ReceivedRequest } from './support/receiver.ts'
import { until } from './support/until.ts'

const ROWS = 20
const VERSIONS = 5
/** Longer than the breaker ever stays open, so each step lets exactly one probe through. */
const STEP_MS = 70_000
const HOUR_MS = 3_600_000

function versionsOfRows(): GivenChange[] {
  return Array.from({ length: VERSIONS }, (_, version) =>
    Array.from({ length: ROWS }, (_, row): GivenChange => ({
      id: row + 1,
      action: version === 0 ? 'insert' : 'update',
      record: { version },
    })),
  ).flat()
}

describe('an endpoint that is down for an hour', () => {
  test.for([
    ['answers 503', 503],
    ['answers 500', 500],
    ['closes every connection', 0],
  ] as const)(
    'and %s gets a trickle, then everything in order',
    async ([, status], { storage, givenReceiver, startPush }) => {
      const source = await givenSource(storage)
      const clock = new ManualClock()
      const alarms: EndpointAlarm[] = []
      const isOpen: boolean[] = []
      // By id, as a receiver deduplicates: a clock that jumps past a lease has its message sent again.
      const taken = new Map<unknown, ReceivedRequest>()
      let isDown = true
      const receiver = await givenReceiver((response, request) => {
        if (!isDown) {
          const id = request.headers['webhook-id']
          if (!taken.has(id)) taken.set(id, request)
          response.end()
        } else if (status === 0) response.destroy()
        else response.writeHead(status).end()
      })
      // A 500 counts where it may be about the message; nobody gives up so soon.
      await givenPushConsumer(storage, source.sourceNo, receiver.url, {
        ...(status === 503 ? { max_deliveries: 3 } : {}),
        push: { max_in_flight: 4 },
      })
      await source.append(versionsOfRows())
      let judged = 0
      /** All requests were answered, judged and settled: the clock may move. */
      const untilQuiet = async (): Promise<void> => {
        let [before, quietLooks] = ['', 0]
        await until('nothing is under way', async () => {
          // What rests with the worker for a moment stays leased.
          const { rows } = await storage.pool.query('select lease_no, seqs from millrace.lease')
          const now = JSON.stringify(rows)
          const isQuiet = now === before && judged === receiver.requests.length
          quietLooks = isQuiet ? quietLooks + 1 : 0
          before = now
          return quietLooks >= 4
        })
      }
      const { workers } = await startPush({
        clock,
        observer: {
          onRequest: () => judged++,
          onAlarm: (_consumer, alarm) => alarms.push(alarm),
          onBreaker: (_consumer, open) => isOpen.push(open),
        },
      })
      await until('the breaker is open', () => isOpen.length === 1)
      await untilQuiet()
      const before = receiver.requests.length
      expect(before).toBeLessThanOrEqual(5 + 4)

      const steps = Math.ceil(HOUR_MS / STEP_MS)
      for (let step = 1; step <= steps; step++) {
        await moveClock(storage, STEP_MS)
        clock.advance(STEP_MS)
        await until(`probe ${step} came`, () => receiver.requests.length >= before + step)
        await untilQuiet()
      }
      // One a step, and one more where the breaker was open for less than a step at first.
      expect(receiver.requests.length - before).toBeLessThanOrEqual(steps + 5)
      expect(alarms.length).toBeGreaterThanOrEqual(1)
      expect(alarms.length).toBeLessThanOrEqual(2)

      isDown = false
      await until('all are taken', async () => {
        await moveClock(storage, STEP_MS)
        clock.advance(STEP_MS)
        // Some wait for up to a quarter of an hour: not every step has something to send.
        await untilQuiet()
        return taken.size >= ROWS * VERSIONS
      })
      await workers.stop()

      const byRow = new Map<number, number[]>()
      for (const { record } of [...taken.values()].flatMap(messagesOf)) {
        byRow.set(record.id, [...(byRow.get(record.id) ?? []), record.version!])
      }
      expect(byRow.size).toBe(ROWS)
      for (const versions of byRow.values()) expect(versions).toEqual([0, 1, 2, 3, 4])
      expect(isOpen).toEqual([true, false])
    },
  )
})
