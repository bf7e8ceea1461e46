import { z } from '@hono/zod-openapi'

import { nameSchema } from '../../queue/consumer-settings.ts'
import { consumerPut } from './consumer.ts'
import { sourcePut } from './source.ts'
import { tokenCreate } from './token.ts'

const SECTION_ENTRIES_MAX = 1000

function sectionOf<K extends z.ZodString, V extends z.ZodType>(names: K, entry: V) {
  return z
    .record(names, entry)
    .refine(
      (section) => Object.keys(section).length <= SECTION_ENTRIES_MAX,
      `must have at most ${SECTION_ENTRIES_MAX} entries`,
    )
}

const tokenEntry = z
  .strictObject({
    scopes: tokenCreate.shape.scopes,
    consumers: tokenCreate.shape.consumers,
    expires_at: tokenCreate.shape.expires_at,
    token: z
      .string()
      .regex(/^mr_[0-9a-f]{12}_[0-9a-f]{64}$/, 'must be mr_, 12 hex digits, _ and 64 hex digits')
      .optional()
      .meta({
        description:
          'The token itself, made elsewhere; left out: it is made here and shown once. Write-only.',
      }),
  })
  .openapi('TokenConfiguration')

/** What a `millrace.yaml` holds, once its variables have their values. */
export const configurationSchema = z
  .strictObject({
    sources: sectionOf(nameSchema, sourcePut)
      .optional()
      .meta({ description: 'Databases whose changes are captured, by name.' }),
    consumers: sectionOf(nameSchema, consumerPut)
      .optional()
      .meta({ description: 'Queues, by name.' }),
    tokens: sectionOf(z.string().min(1).max(100), tokenEntry)
      .optional()
      .meta({ description: 'Who may do what, by name.' }),
  })
  .openapi('Configuration')

export type Configuration = z.output<typeof configurationSchema>
export type TokenEntry = z.output<typeof tokenEntry>

export const configurationRequest = configurationSchema
  .extend({
    prune: z.boolean().default(false).meta({
      description:
        'Whether to delete what is not listed, in the sections that are given; a section that is left out is left alone.',
    }),
  })
  .openapi('ConfigurationRequest')

const entryFields = {
  kind: z.enum(['source', 'consumer', 'token']),
  name: z.string(),
}

const changeSchema = z
  .object({
    ...entryFields,
    action: z
      .enum(['create', 'update', 'replace', 'delete'])
      .meta({ description: '`replace`: of a token whose secret is another one.' }),
    fields: z
      .array(
        z.object({
          field: z.string(),
          before: z
            .unknown()
            .meta({ description: 'Absent where there was none, and for secrets.' }),
          after: z.unknown(),
          secret: z.boolean().meta({ description: 'The values are not shown.' }),
        }),
      )
      .meta({ description: 'What is set or changed; of a creation what was given.' }),
  })
  .openapi('ConfigurationChange')

const unlistedSchema = z
  .array(z.object(entryFields))
  .meta({ description: 'There, but not in the configuration: left alone without `prune`.' })

export const configurationPlan = z
  .object({ changes: z.array(changeSchema), unlisted: unlistedSchema })
  .openapi('ConfigurationPlan')

export const configurationResult = z
  .object({
    changes: z.array(changeSchema),
    unlisted: unlistedSchema,
    secrets: z
      .array(z.object({ ...entryFields, secret: z.string() }))
      .meta({ description: 'Tokens and signing secrets that were made; shown this once.' }),
    not_deleted: z
      .array(z.object({ ...entryFields, reason: z.string() }))
      .meta({ description: 'Sources that were to go and could not; all else is done.' }),
  })
  .openapi('ConfigurationResult')

export const configurationExport = z
  .object({
    configuration: z
      .record(z.string(), z.record(z.string(), z.record(z.string(), z.unknown())))
      .meta({
        description:
          'As a `millrace.yaml` has it: secrets are `${VARIABLES}`, and every other `$` is doubled.',
      }),
    variables: z.array(z.string()).meta({ description: 'The variables in it.' }),
    omitted: z
      .array(z.object({ ...entryFields, reason: z.string() }))
      .meta({ description: 'What a file cannot say.' }),
  })
  .openapi('ConfigurationExport')
