import { z } from '@hono/zod-openapi'

import { nameSchema } from '../../queue/consumer-settings.ts'
import { SCOPES } from '../../tokens/token.ts'
import { pageOf, timeSchema } from './shared.ts'

const scopesSchema = z
  .array(z.enum(SCOPES))
  .min(1)
  .max(SCOPES.length)
  .meta({
    description:
      '`consume`: receive and settle. `read`: look, never deliver. `manage`: pause, seek, replay, redrive, purge. `admin`: create, change, delete, tokens. None includes another.',
    example: ['consume'],
  })

export const tokenCreate = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(100)
      .meta({ description: 'A label.', example: 'shipping, production' }),
    scopes: scopesSchema,
    consumers: z
      .union([z.literal('*'), z.array(nameSchema).min(1).max(1000)], {
        error: 'must be "*" or a list of names of consumers',
      })
      .default('*')
      .openapi({
        description: 'Names of the consumers it is bound to, or `*` for all and everything else.',
        example: ['shipping'],
      }),
    expires_at: z.iso
      .datetime({ offset: true })
      .nullable()
      .default(null)
      .meta({ description: 'RFC 3339; null: never.' }),
  })
  .openapi('TokenCreate')

const tokenSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    scopes: scopesSchema,
    consumers: z.union([z.literal('*'), z.array(z.string())]),
    created_at: timeSchema,
    expires_at: timeSchema.nullable(),
    revoked_at: timeSchema.nullable(),
    last_used_at: timeSchema.nullable().meta({ description: 'To the minute.' }),
  })
  .openapi('Token')

export const createdTokenSchema = tokenSchema
  .extend({
    token: z.string().meta({ description: 'Shown this once.', example: 'mr_0a1b2c3d4e5f_…' }),
  })
  .openapi('CreatedToken')

export const tokenList = pageOf(tokenSchema).openapi('TokenList')
