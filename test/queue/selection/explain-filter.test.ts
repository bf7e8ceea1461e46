import { expect, test } from 'vitest'

import { MillraceError } from '../../../src/errors.ts'
import { explainFilter } from '../../../src/queue/selection/explain-filter.ts'
import { makeEntry } from './make-entry.ts'

test('a preview says of every entry whether it passes, is filtered out or fails', () => {
  const records = ['{"quantity":3}', '{"quantity":2}', '{"quantity":null}']
  const entries = records.map((record, i) => makeEntry({ seq: i + 1, record }))
  expect(explainFilter('record.quantity > 2', entries)).toEqual([
    { seq: 1, outcome: 'passes' },
    { seq: 2, outcome: 'filtered' },
    { seq: 3, outcome: 'fails', reason: expect.stringContaining('null') },
  ])
})

test('a preview of a wrong expression is refused with its place', () => {
  const explain = () => explainFilter('record.quantity >', [])
  expect(explain).toThrow(MillraceError)
  expect(explain).toThrow(
    expect.objectContaining({
      code: 'validation_failed',
      errors: [{ pointer: '/filter', detail: expect.stringMatching(/^Line 1, column 18: /u) }],
    }),
  )
})
