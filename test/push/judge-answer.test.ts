import { describe, expect, test } from 'vitest'

import type { PushAnswer } from '../../src/push/endpoint-client.ts'
import { judgeAnswer, judgeFailure } from '../../src/push/judge-answer.ts'
import { PushFailure } from '../../src/push/push-failure.ts'

const NOW = Date.parse('2026-03-20T12:00:00Z')

function answer(status: number, more: Partial<PushAnswer> = {}): PushAnswer {
  return { status, retryAfter: undefined, location: undefined, body: '', isCut: false, ...more }
}

describe('an answer to one message', () => {
  test.each([200, 201, 202, 204, 299])('%i acks', (status) => {
    expect(judgeAnswer(answer(status, { isCut: true }), null, NOW)).toEqual({ kind: 'ack' })
  })

  test.each([400, 401, 404, 422, 500])('%i fails without saying that nobody is there', (status) => {
    expect(judgeAnswer(answer(status, { body: 'no' }), null, NOW)).toEqual({
      kind: 'fail',
      reason: `answered ${status}: no`,
      isEndpointDown: false,
    })
  })

  test.each([502, 503, 504])('%i says that nobody is there', (status) => {
    expect(judgeAnswer(answer(status), null, NOW)).toMatchObject({ isEndpointDown: true })
  })

  test.each([301, 302, 303, 307, 308])('%i is a failure that names where it led', (status) => {
    const location = 'http://169.254.169.254/'
    expect(judgeAnswer(answer(status, { location }), null, NOW)).toMatchObject({
      kind: 'fail',
      reason: `answered ${status} to http://169.254.169.254/; redirects are not followed`,
    })
  })

  test('410 means gone', () => {
    expect(judgeAnswer(answer(410), null, NOW)).toEqual({ kind: 'gone', reason: 'answered 410' })
  })

  test.each([
    [429, '7', 7000],
    [503, '120', 120_000],
    [503, 'Fri, 20 Mar 2026 12:00:30 GMT', 30_000],
    [503, '0', 1000],
    [503, 'Fri, 20 Mar 2026 11:00:00 GMT', 1000],
    [429, '999999', 3_600_000],
    [429, undefined, 1000],
    [429, 'soon', 1000],
  ])('%i with Retry-After %s slows for %i ms', (status, retryAfter, delayMs) => {
    expect(judgeAnswer(answer(status, { retryAfter }), null, NOW)).toMatchObject({
      kind: 'slow',
      delayMs,
    })
  })

  test('keeps the first 2 KB as the reason, without splitting a character', () => {
    const verdict = judgeAnswer(answer(500, { body: '\0' + 'é'.repeat(5000) }), null, NOW)
    const { reason } = verdict as { reason: string }
    expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(2048)
    expect(Buffer.byteLength(reason)).toBeGreaterThan(2040)
    expect(reason).not.toContain('\0')
  })

  test('is the business of the receiver even if it looks like the answer to a batch', () => {
    const body = '{"failed":[{"id":"a"}]}'
    expect(judgeAnswer(answer(200, { body }), null, NOW)).toEqual({ kind: 'ack' })
  })
})

describe('an answer to a batch', () => {
  test.each(['', 'ok', '[]', 'null', '{}', '{"failed":[]}', '{"failed":null}'])(
    'acks all with %s',
    (body) => {
      expect(judgeAnswer(answer(200, { body }), ['a', 'b', 'c'], NOW)).toEqual({ kind: 'ack' })
    },
  )

  test('names what failed, with delay and reason', () => {
    const failed = [
      { id: 'a', delay: 5000, reason: 'busy' },
      { id: 'b', delay: '5m' },
      { id: 'c', delay: 'later', reason: 7 },
    ]
    const verdict = judgeAnswer(
      answer(207, { body: JSON.stringify({ failed }) }),
      ['a', 'b', 'c'],
      NOW,
    )
    const named = 'named as failed in the answer to its batch'
    expect(verdict).toEqual({
      kind: 'partial',
      failed: new Map([
        ['a', { delayMs: 5000, reason: 'busy' }],
        ['b', { delayMs: 300_000, reason: named }],
        ['c', { delayMs: undefined, reason: named }],
      ]),
    })
  })

  test.each([
    '{"failed":["a"]}',
    '{"failed":"a"}',
    '{"failed":[{"id":1}]}',
    '{"failed":[{"id":"a"',
    '{"failed":[{"id":"a"},{"id":"stranger"}]}',
  ])('acks nothing when it says %s', (body) => {
    expect(judgeAnswer(answer(200, { body }), ['a', 'b', 'c'], NOW)).toMatchObject({ kind: 'fail' })
  })

  test('acks nothing when it is too long to read', () => {
    expect(judgeAnswer(answer(200, { isCut: true }), ['a', 'b', 'c'], NOW)).toMatchObject({
      kind: 'fail',
    })
  })
})

describe('no answer', () => {
  test.each(['dns', 'connect', 'tls', 'blocked'] as const)('%s: nobody is there', (kind) => {
    expect(judgeFailure(new PushFailure(kind, 'why'))).toEqual({
      kind: 'fail',
      reason: `${kind}: why`,
      isEndpointDown: true,
    })
  })

  test.each(['timeout', 'closed', 'protocol'] as const)('%s may be about the message', (kind) => {
    expect(judgeFailure(new PushFailure(kind, 'why'))).toMatchObject({ isEndpointDown: false })
  })
})
