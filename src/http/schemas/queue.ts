import { z } from '@hono/zod-openapi'

import { durationSchema } from '../duration.ts'
import { timeSchema } from './shared.ts'

const HALF_DAY_MS = 43_200_000
const REASON_BYTES_MAX = 2048
export const SETTLEMENTS_MAX = 1000

const durationDescription = 'Whole ms, or a text such as `"500ms"`, `"20s"`, `"5m"`, `"1h"`.'
const durationDocs = { type: ['integer', 'string'] as ['integer', 'string'] }

const visibilityTimeout = z.int().min(1000).max(HALF_DAY_MS)

const delaySchema = durationSchema(HALF_DAY_MS, '12h')
  .optional()
  .openapi({
    ...durationDocs,
    description: `When the message comes again: ${durationDescription} At most 12 h; left out: by the retry policy.`,
    example: '30s',
  })

const reasonSchema = z
  .string()
  .refine(
    (reason) => Buffer.byteLength(reason) <= REASON_BYTES_MAX,
    `must be at most ${REASON_BYTES_MAX} bytes`,
  )
  .optional()
  .meta({
    description: 'Why; at most 2 KB. Kept with the message and shown to operators.',
    example: 'card gateway answered 503',
  })

const ackIdSchema = z.string().min(1).max(200).meta({
  description: 'The `ack_id` of a received message, unchanged.',
  example: 'a-1-2s-k3x9f2-0-1z4',
})
const ackIdsSchema = z.array(ackIdSchema).min(1).max(SETTLEMENTS_MAX)

export const receiveRequest = z
  .strictObject({
    ack_ids: z
      .array(ackIdSchema)
      .max(SETTLEMENTS_MAX)
      .optional()
      .meta({
        description:
          'Acknowledged first, as by `ack`: a worker then makes one call for its work, not two. Done even where the rest of the call is refused; asking again does no harm.',
        example: ['a-1-2s-k3x9f2-0-1z4'],
      }),
    batch_size: z
      .int()
      .min(1)
      .max(1000)
      .default(10)
      .meta({ description: 'Messages at most.', example: 100 }),
    wait_for: durationSchema(55_000, '55s')
      .default(20_000)
      .openapi({
        ...durationDocs,
        default: 20_000,
        description: `How long to wait for the first message. ${durationDescription} At most 55 s; 0: answer at once.`,
        example: '20s',
      }),
    visibility_timeout_ms: visibilityTimeout.optional().meta({
      description: 'How long the messages are leased, in ms; left out: as the consumer says.',
    }),
    max_bytes: z
      .int()
      .min(1)
      .max(64 * 1024 * 1024)
      .default(4 * 1024 * 1024)
      .meta({ description: 'Bytes of records and changes at most; one message always fits.' }),
    worker: z
      .string()
      .max(200)
      .optional()
      .meta({ description: 'A label of the caller, shown to operators.' }),
  })
  .openapi('ReceiveRequest')

const rowSchema = z
  .record(z.string(), z.any())
  .meta({ description: 'The row’s columns; numbers have all their digits.' })

export const messageSchema = z
  .object({
    ack_id: ackIdSchema,
    record: rowSchema,
    changes: rowSchema
      .nullable()
      .meta({ description: 'The previous values of the columns that changed; null: none.' }),
    action: z.enum(['insert', 'update', 'delete', 'read', 'truncate']),
    metadata: z
      .object({
        table_schema: z.string(),
        table_name: z.string(),
        commit_timestamp: timeSchema,
        commit_lsn: z.int().meta({ description: 'LSN of the commit, as a number.' }),
        commit_idx: z.int().meta({ description: 'Ordinal of the change in its transaction.' }),
        idempotency_key: z
          .string()
          .meta({ description: 'Equal for all deliveries of one change: deduplicate by it.' }),
        unchanged_columns: z.array(z.string()).optional().meta({
          description:
            'Columns missing from `record`: large values that did not change and that Postgres does not send.',
        }),
        transaction_annotations: z
          .any()
          .optional()
          .meta({ description: 'What the transaction said of itself.' }),
        database: z.object({ id: z.uuid(), name: z.string() }).meta({ description: 'The source.' }),
        consumer: z.object({
          id: z.uuid(),
          name: z.string(),
          annotations: z.record(z.string(), z.any()).optional(),
        }),
      })
      .openapi('MessageMetadata'),
    delivery: z
      .object({
        attempt: z.int().meta({ description: 'From 1, one more with every delivery.' }),
        group: z
          .string()
          .nullable()
          .meta({ description: 'Messages of one group come in order; null: no order.' }),
        lease_expires_at: timeSchema,
        replay: z
          .int()
          .optional()
          .meta({ description: 'The replay that brought it; left out: none did.' }),
      })
      .openapi('MessageDelivery'),
  })
  .openapi('Message')

const settleResult = z
  .object({
    ack_id: z.string(),
    status: z.enum(['acked', 'already_acked', 'nacked', 'dead_lettered', 'extended', 'lease_lost']),
    visible_at: timeSchema.optional().meta({ description: 'When a nacked message is due.' }),
    lease_expires_at: timeSchema.optional().meta({ description: 'Of an extended lease.' }),
    detail: z.string().optional().meta({ description: 'How a lease was lost.' }),
  })
  .openapi('SettleResult')

export const receiveResponse = z
  .object({
    data: z.array(messageSchema),
    meta: z.object({
      limited_by: z.enum(['max_in_flight', 'blocked_groups', 'paused']).nullable().meta({
        description: 'Why there are fewer than asked for; null: nothing else holds messages back.',
      }),
    }),
    acks: z
      .object({
        success: z.boolean().meta({ description: 'Whether all of `ack_ids` are acked.' }),
        lost: z.array(settleResult).meta({ description: 'Those that are not, and why.' }),
      })
      .optional()
      .meta({ description: 'What became of `ack_ids`, where the call had any.' }),
  })
  .openapi('ReceiveResponse')

export const ackRequest = z.strictObject({ ack_ids: ackIdsSchema }).openapi('AckRequest')

export const nackRequest = z
  .strictObject({
    ack_ids: ackIdsSchema,
    delay: delaySchema,
    reason: reasonSchema,
    count_attempt: z
      .boolean()
      .default(true)
      .meta({ description: 'False: this delivery does not count as an attempt.' }),
    dead_letter: z
      .boolean()
      .default(false)
      .meta({ description: 'True: the messages are dead and not delivered again.' }),
  })
  .openapi('NackRequest')

export const extendRequest = z
  .strictObject({
    ack_ids: ackIdsSchema,
    visibility_timeout_ms: visibilityTimeout.meta({
      description: 'How long the lease lasts from now on, in ms.',
    }),
  })
  .openapi('ExtendRequest')

export const settleRequest = z
  .strictObject({
    acks: z.array(z.strictObject({ ack_id: ackIdSchema })).default([]),
    nacks: z
      .array(
        z.strictObject({
          ack_id: ackIdSchema,
          delay: delaySchema,
          reason: reasonSchema,
          count_attempt: z.boolean().default(true),
        }),
      )
      .default([]),
    dead_letters: z
      .array(z.strictObject({ ack_id: ackIdSchema, reason: reasonSchema }))
      .default([]),
    extends: z
      .array(z.strictObject({ ack_id: ackIdSchema, visibility_timeout_ms: visibilityTimeout }))
      .default([]),
  })
  .openapi('SettleRequest')

export const settleResponse = z
  .object({
    success: z.boolean().meta({ description: 'Whether everything was done as asked.' }),
    results: z.array(settleResult).meta({ description: 'One for each id, in the order asked.' }),
    counts: z
      .record(z.string(), z.int())
      .meta({ description: 'How many results have which status.', example: { acked: 2 } }),
  })
  .openapi('SettleResponse')
