import { z } from '@hono/zod-openapi'

import { durationSchema } from '../duration.ts'
import { messageSchema } from './queue.ts'

/** Sequin's clients may ask for a wait of five minutes; they get an empty answer sooner. */
const WAIT_MS_MAX = 55_000

const batchSize = z.coerce.number().int().min(1).max(1000).optional()

/** In a body or behind the question mark: numbers may come as texts. Other fields are ignored, as Sequin does. */
const receive = z.object({
  batch_size: batchSize.meta({ description: 'Messages at most; 1.' }),
  max_batch_size: batchSize.meta({ description: 'The same; it goes before `batch_size`.' }),
  wait_for: z
    .union([z.int(), z.string()])
    .transform((value) =>
      typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value,
    )
    .pipe(durationSchema(300_000, '5m'))
    .transform((ms) => Math.min(ms, WAIT_MS_MAX))
    .default(0)
    .openapi({
      type: ['integer', 'string'],
      default: 0,
      description: 'In ms, or as "20s". More than 55 s counts as 55 s.',
    }),
})

export const sequinReceiveQuery = receive
export const sequinReceiveRequest = receive.openapi('SequinReceiveRequest')
export type SequinReceive = z.output<typeof receive>

export const sequinReceiveResponse = z
  .object({
    data: z.array(
      z.object({
        ack_id: messageSchema.shape.ack_id,
        data: messageSchema.pick({ record: true, changes: true, action: true, metadata: true }),
      }),
    ),
  })
  .openapi('SequinReceiveResponse')

export const sequinSettleRequest = z
  .object({ ack_ids: z.array(messageSchema.shape.ack_id).min(1).max(1000) })
  .openapi('SequinSettleRequest')

export const sequinSettleResponse = z
  .object({
    success: z.literal(true),
    lease_lost: z
      .array(z.string())
      .optional()
      .meta({ description: 'Ids that settled nothing, because their lease was lost.' }),
  })
  .openapi('SequinSettleResponse')
