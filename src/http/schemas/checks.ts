import { z } from '@hono/zod-openapi'

const checkSchema = z
  .object({
    name: z.string().meta({ description: 'What was checked.' }),
    status: z.enum(['pass', 'warn', 'fail']),
    detail: z.string().meta({ description: 'What was found.' }),
    sql: z.string().nullable().meta({ description: 'What mends it; null: nothing to run.' }),
  })
  .openapi('Check')

/** What every set of checks is answered with. */
export const checksResponse = z
  .object({
    ok: z.boolean().meta({ description: 'Whether no check failed.' }),
    checks: z.array(checkSchema),
  })
  .openapi('Checks')
