import { z } from '@hono/zod-openapi'

import { STATUS_OF } from '../problem.ts'

export const timeSchema = z.iso
  .datetime()
  .meta({ description: 'RFC 3339, in UTC.', example: '2026-01-31T12:00:00Z' })

/** Every code, so that nobody has to learn them by accident. */
const codes = Object.entries(STATUS_OF).map(([code, status]) => `\`${code}\` (${status})`)

/** One thing that is wrong with a request. */
export const errorDetailSchema = z.object({
  pointer: z.string().meta({ description: 'JSON pointer into the request.' }),
  detail: z.string(),
  position: z.object({ offset: z.int(), line: z.int(), column: z.int() }).optional().meta({
    description: 'Where in a filter: offset from 0 in UTF-16 units, the others from 1.',
  }),
})

export const problemSchema = z
  .object({
    type: z.string().meta({ description: 'A URN made of the code.' }),
    title: z.string(),
    status: z.int().meta({ description: 'The status of the answer.' }),
    code: z.string().meta({
      description: `What programs tell problems apart by: ${codes.join(', ')}. There may be more in time.`,
    }),
    detail: z.string().meta({ description: 'A sentence for people.' }),
    summary: z.string().meta({ description: 'Equal to `detail`.' }),
    errors: z
      .array(errorDetailSchema)
      .optional()
      .meta({ description: 'Each fault of the request.' }),
    request_id: z
      .string()
      .meta({ description: 'As in the header X-Request-Id; look for it in the server’s log.' }),
  })
  .openapi('Problem', {
    description: 'A refusal, by RFC 9457.',
    example: {
      type: 'urn:millrace:problem:validation_failed',
      title: 'Validation failed',
      status: 422,
      code: 'validation_failed',
      detail: 'batch_size must be at least 1',
      summary: 'batch_size must be at least 1',
      errors: [{ pointer: '/batch_size', detail: 'must be at least 1' }],
      request_id: 'req_0c3f8a52-6c5e-4f6e-9d38-0f9a4c1f2f3a',
    },
  })

const LIMIT_MAX = 1000
const LIMIT_DEFAULT = 50

export const pageQuery = z.strictObject({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(LIMIT_MAX)
    .default(LIMIT_DEFAULT)
    .meta({ description: 'Entries of a page.' }),
  cursor: z
    .string()
    .max(500)
    .optional()
    .meta({ description: '`next_cursor` of the page before; opaque.' }),
})

/** `{data, next_cursor}` */
export function pageOf<S extends z.ZodType>(item: S) {
  return z.object({
    data: z.array(item),
    next_cursor: z
      .string()
      .nullable()
      .meta({ description: 'Give it as `cursor` to get the next page; null: this is the last.' }),
  })
}
