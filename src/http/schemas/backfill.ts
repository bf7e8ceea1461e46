import { z } from '@hono/zod-openapi'

import { pageOf, timeSchema } from './shared.ts'

const KEY_COLUMNS_MAX = 32

const requestFields = {
  where: z.string().min(1).max(10_000).optional().meta({
    description:
      'SQL over the columns of the table: only these rows. It runs with the rights of the source’s role, so the token needs the scope `admin`.',
    example: 'total_price > 100',
  }),
  from_key: z
    .array(z.union([z.string(), z.number(), z.boolean()]))
    .min(1)
    .max(KEY_COLUMNS_MAX)
    .optional()
    .meta({
      description: 'The primary key to begin with, a value for each of its columns.',
      example: [42],
    }),
}

const table = z
  .string()
  .min(1)
  .max(200)
  .meta({ description: '`schema.table`', example: 'public.orders' })

export const consumerBackfillRequest = z
  .strictObject({
    table: table.optional().meta({
      description: '`schema.table`; left out: every table that the consumer selects.',
    }),
    ...requestFields,
  })
  .openapi('ConsumerBackfillRequest')

export const sourceBackfillRequest = z
  .strictObject({ table, ...requestFields })
  .openapi('SourceBackfillRequest')

export const backfillSchema = z
  .object({
    id: z.string(),
    source: z.string().meta({ description: 'Its name.' }),
    consumer: z.string().nullable().meta({
      description: 'Whom the rows are for; null: every consumer that selects the table.',
    }),
    table: z.string().nullable().meta({
      description: '`schema.table`; null: it is not worked out yet which tables are selected.',
    }),
    state: z.enum(['pending', 'running', 'paused', 'done', 'cancelled', 'failed']),
    where: z.string().nullable(),
    from_key: z.array(z.string()).nullable(),
    rows_scanned: z.int().meta({ description: 'Looked at so far.' }),
    rows_read: z.int().meta({
      description: 'Put into the log; the others did not match, or had changed meanwhile.',
    }),
    rows_estimated: z
      .int()
      .nullable()
      .meta({ description: 'To be looked at in all, as the database estimates.' }),
    rows_per_second: z.number().nullable(),
    error: z
      .string()
      .nullable()
      .meta({ description: 'Why it failed, or what it is about to try again.' }),
    created_at: timeSchema,
    started_at: timeSchema.nullable(),
    finished_at: timeSchema.nullable(),
  })
  .openapi('Backfill')

export const backfillList = pageOf(backfillSchema).openapi('BackfillList')

export const startedBackfills = z
  .object({ data: z.array(backfillSchema) })
  .openapi('StartedBackfills')
