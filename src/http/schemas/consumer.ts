import { z } from '@hono/zod-openapi'

import {
  consumerCreateSchema,
  consumerFields,
  consumerPatchSchema,
  consumerPutSchema,
  nameSchema,
  pushSchema,
} from '../../queue/consumer-settings.ts'
import { pageOf, timeSchema } from './shared.ts'

export const consumerCreate = consumerCreateSchema.meta({ id: 'ConsumerCreate' })
export const consumerPut = consumerPutSchema.meta({ id: 'ConsumerPut' })
export const consumerPatch = consumerPatchSchema.meta({ id: 'ConsumerPatch' })

/** Write-only fields are left out; the others are always there. */
const pushView = pushSchema.omit({ headers: true }).required().meta({ id: 'ConsumerPush' })

export const consumerSchema = z
  .object({
    id: z.uuid(),
    name: nameSchema,
    ...consumerFields,
    source: z.string().meta({ description: 'Name of the source.' }),
    tables: z.array(z.string()).meta({ description: consumerFields.tables.description }),
    actions: z.array(z.string()).meta({ description: consumerFields.actions.description }),
    columns: z
      .object({
        include: z.array(z.string()).optional(),
        exclude: z.array(z.string()).optional(),
      })
      .nullable()
      .meta({ description: consumerFields.columns.description }),
    push: pushView.nullable().meta({ description: 'The webhook; null: none.' }),
    paused: z
      .object({
        until: timeSchema.nullable().meta({ description: 'Null: until resumed.' }),
        reason: z.string().nullable(),
      })
      .nullable()
      .meta({ description: 'Null: not paused.' }),
    created_at: timeSchema,
    updated_at: timeSchema,
  })
  .openapi('Consumer')

/** The answer that makes a webhook's secret: the only time it is shown. */
export const createdConsumerSchema = consumerSchema
  .extend({
    push_secret: z.string().optional().meta({
      description:
        'The signing secret (Standard Webhooks). Shown once, when it is made; keep it where the receiver verifies.',
      example: 'whsec_…',
    }),
  })
  .openapi('CreatedConsumer')

export const consumerList = pageOf(consumerSchema).openapi('ConsumerList')

export const consumerStats = z
  .object({
    backlog: z.int().meta({ description: 'Selected changes not yet reached.' }),
    leased: z.int().meta({ description: 'Messages that a receiver holds.' }),
    retrying: z.int().meta({ description: 'Messages to be delivered again.' }),
    waiting: z.int().meta({ description: 'Messages whose group is busy.' }),
    dead: z.int().meta({ description: 'Messages given up.' }),
    waiters: z.int().meta({ description: 'Receive calls that wait in the answering process.' }),
    oldest_unacked_age_ms: z
      .int()
      .nullable()
      .meta({ description: 'Age of the oldest change neither acked nor dead; null: none.' }),
    rates: z
      .object({ delivered: z.number(), acked: z.number(), nacked: z.number() })
      .meta({ description: 'Messages per second over the last minute in the answering process.' }),
    latency: z.object({ p50_ms: z.int(), p95_ms: z.int() }).nullable().meta({
      description:
        'From the commit to the ack, of messages acked over the last minute in the answering process; null: none.',
    }),
  })
  .openapi('ConsumerStats')

export const pauseRequest = z
  .strictObject({
    until: z.iso
      .datetime({ offset: true })
      .optional()
      .meta({ description: 'RFC 3339; left out: until resumed.' }),
    reason: z.string().max(500).optional().meta({ description: 'Shown to operators.' }),
  })
  .openapi('PauseRequest')
