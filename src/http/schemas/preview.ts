import { z } from '@hono/zod-openapi'

import { consumerFields } from '../../queue/consumer-settings.ts'
import { changeFields } from './messages.ts'
import { errorDetailSchema } from './shared.ts'

const PREVIEW_MAX = 100

export const previewRequest = z
  .strictObject({
    tables: consumerFields.tables.default(['*']),
    actions: consumerFields.actions.default(['insert', 'update', 'delete']),
    filter: consumerFields.filter.default(null),
    limit: z.int().min(1).max(PREVIEW_MAX).default(50),
  })
  .openapi('FilterPreviewRequest')

const previewedChange = z.object({
  ...changeFields,
  outcome: z.enum(['passes', 'filtered', 'fails']),
  reason: z
    .string()
    .nullable()
    .meta({ description: 'Why it fails: such a change would become a dead message.' }),
})

export const previewResponse = z
  .object({
    errors: z
      .array(errorDetailSchema)
      .meta({ description: 'What is wrong with the selection; then nothing was tried.' }),
    passes: z.int(),
    filtered: z.int(),
    fails: z.int(),
    data: z
      .array(previewedChange)
      .meta({ description: 'The newest changes of the tables and actions, the newest first.' }),
  })
  .openapi('FilterPreviewResponse')
