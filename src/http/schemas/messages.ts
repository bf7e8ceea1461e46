import { z } from '@hono/zod-openapi'

import { pageOf, pageQuery, timeSchema } from './shared.ts'

const SEQ_MAX = Number.MAX_SAFE_INTEGER

const seq = z.int().min(0).max(SEQ_MAX).meta({ description: 'The place in the source’s log.' })

const MESSAGE_STATES = ['ahead', 'leased', 'retrying', 'waiting', 'dead', 'acked'] as const

const stateSchema = z.enum(MESSAGE_STATES).meta({
  description:
    '`ahead`: the cursor has not reached it; `waiting`: behind its group; `acked` is listed only for messages delivered more than once.',
})

const keyQuery = z.string().max(1000).optional().meta({
  description: 'The primary key as JSON: `42`, `"a"`, or for several columns `[42,"a"]`.',
})

const found = {
  table: z.string().max(200).optional().meta({ description: '`schema.table`' }),
  key: keyQuery,
  from: timeSchema.optional().meta({ description: 'Committed then or later.' }),
}

export const messagesQuery = pageQuery.extend({ state: stateSchema.default('dead'), ...found })

export const changesQuery = pageQuery.extend({
  ...found,
  order: z.enum(['oldest', 'newest']).default('oldest').meta({ description: 'Which come first.' }),
})

const row = z
  .record(z.string(), z.any())
  .meta({ description: 'The row, as it was captured; numbers have all their digits.' })

const change = {
  seq,
  action: z.enum(['insert', 'update', 'delete', 'read', 'truncate']),
  table_schema: z.string(),
  table_name: z.string(),
  key: z
    .string()
    .nullable()
    .meta({ description: 'The primary key as the inside of a JSON array.' }),
  commit_timestamp: z.string().meta({ description: 'RFC 3339 in UTC, with microseconds.' }),
  commit_lsn: z.int(),
  commit_idx: z.int(),
}

const event = z.object({
  at: z.string(),
  attempt: z.int(),
  outcome: z
    .string()
    .meta({ description: 'nacked, expired, given_back, dead, acked, redriven, …' }),
  reason: z.string().optional(),
  worker: z.string().optional(),
})

const place = {
  state: stateSchema,
  attempt: z.int().nullable().meta({ description: 'Deliveries that counted so far.' }),
  visible_at: z.string().nullable(),
  lease_expires_at: z.string().nullable(),
  worker: z.string().nullable(),
  reason: z.string().nullable(),
  history: z.array(event).meta({ description: 'The last ten events off the happy path.' }),
}

const messageSchema = z
  .object({
    ...change,
    replay: z.int().meta({ description: '0, or the replay that brought it again.' }),
    ...place,
    record: row,
    changes: row.nullable(),
  })
  .openapi('ListedMessage')

export const messageList = pageOf(messageSchema).openapi('ListedMessageList')

/** What a change of the log is shown as. */
export const changeFields = { ...change, record: row, changes: row.nullable() }

const changeSchema = z.object(changeFields).openapi('Change')

export const changeList = pageOf(changeSchema).openapi('ChangeList')

export const followQuery = z.strictObject({
  limit: pageQuery.shape.limit,
  after: z
    .union([z.literal('latest'), z.coerce.number().pipe(seq)])
    .default(0)
    .meta({ description: 'Only behind this seq; `latest`: only what is yet to come.' }),
  from: found.from,
})

export const followedChanges = z
  .object({
    data: z.array(changeSchema),
    last_seq: seq.meta({ description: 'Everything up to here was looked at: the next `after`.' }),
    has_more: z.boolean().meta({ description: 'Whether there is more behind it already.' }),
  })
  .openapi('FollowedChanges')

export const fanOutSchema = z
  .object({
    ...change,
    record: row,
    changes: row.nullable(),
    consumers: z
      .array(
        z.object({
          consumer: z.object({ id: z.string(), name: z.string(), mode: z.enum(['pull', 'push']) }),
          ...place,
          state: z.enum([...MESSAGE_STATES, 'before_start']).meta({
            description:
              '`ahead`: the cursor has not reached it; `waiting`: behind its group; `before_start`: the consumer began after it.',
          }),
          delivered_at: z
            .string()
            .nullable()
            .meta({ description: 'The newest delivery, as far as the answering process knows.' }),
          acked_at: z
            .string()
            .nullable()
            .meta({ description: 'Null: not acked, or the answering process does not know when.' }),
          updated_at: z.string().nullable(),
        }),
      )
      .meta({ description: 'Every consumer that selects the change, by name.' }),
  })
  .openapi('FanOut')

const target = z
  .union(
    [
      z.enum(['earliest', 'latest']),
      z.strictObject({ time: timeSchema }),
      z.strictObject({ commit_lsn: z.int().min(0).max(SEQ_MAX) }),
      z.strictObject({ seq }),
    ],
    {
      error: 'must be "earliest", "latest", or one of {"time": …}, {"commit_lsn": …}, {"seq": …}',
    },
  )
  .openapi('LogTarget', { description: 'A place in the log: the first change there or later.' })

export type TargetInput = z.output<typeof target>

export const seekRequest = z
  .strictObject({
    to: target,
    dry_run: z.boolean().default(false).meta({ description: 'Only count.' }),
  })
  .openapi('SeekRequest')

export const seekResponse = z
  .object({
    cursor_seq: seq,
    would_redeliver: z
      .int()
      .meta({ description: 'Passed changes that come again; filters apart.' }),
    would_skip: z
      .int()
      .meta({ description: 'Changes ahead, leased or set aside that will not come.' }),
    dry_run: z.boolean(),
  })
  .openapi('SeekResponse')

const key = z
  .union([
    z.string().max(500),
    z.number(),
    z.array(z.union([z.string(), z.number(), z.null()])).max(32),
  ])
  .optional()
  .meta({
    description:
      'Only this row: its primary key; several columns as a list. A number may be written as a text, as one of more than 15 digits must be.',
  })

export const replayRequest = z
  .strictObject({ from: target, to: target.default('latest'), key })
  .openapi('ReplayRequest')

export const replayResponse = z
  .object({
    replay: z.int().meta({ description: 'As in `delivery.replay` of its messages.' }),
    total: z.int().meta({ description: 'Selected changes in the range; filter and key apart.' }),
  })
  .openapi('ReplayResponse')

const which = {
  seqs: z.array(seq).min(1).max(1000).optional(),
  all: z.literal(true).optional().meta({ description: 'All dead messages.' }),
}
const oneOf = (value: { seqs?: unknown; all?: unknown }): boolean =>
  (value.seqs === undefined) !== (value.all === undefined)
const oneOfError = { error: 'either `seqs` or `all: true` must be given' }

export const redriveRequest = z
  .strictObject({
    ...which,
    skip_superseded: z
      .boolean()
      .default(false)
      .meta({ description: 'Leave messages whose row has changed and been delivered since.' }),
  })
  .refine(oneOf, oneOfError)
  .openapi('RedriveRequest')

export const redriveResponse = z
  .object({
    redriven: z.int(),
    skipped: z.int(),
    superseded: z.array(z.int()).meta({ description: 'Seqs whose row has moved on since.' }),
    remaining: z.int().meta({ description: 'Dead messages left; call again for more.' }),
  })
  .openapi('RedriveResponse')

export const discardRequest = z
  .strictObject(which)
  .refine(oneOf, oneOfError)
  .openapi('DiscardRequest')
export const discardResponse = z.object({ discarded: z.int() }).openapi('DiscardResponse')

export const purgeRequest = z
  .strictObject({ confirm: z.string().meta({ description: 'The consumer’s name, typed again.' }) })
  .openapi('PurgeRequest')
export const purgeResponse = z
  .object({
    purged: z.int().meta({ description: 'Messages that went; a filter is not looked at.' }),
  })
  .openapi('PurgeResponse')
