import { z } from 'zod'

/** Names of sources and consumers; `schema.sql` has the same rule as a check. */
const NAME_PATTERN = /^[a-z0-9][a-z0-9_-]{0,62}$/
const UUID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Whether a reference is an id: names of this shape are refused, so that a reference means one thing. */
export function isId(reference: string): boolean {
  return UUID_PATTERN.test(reference)
}

export const nameSchema = z
  .string()
  .regex(
    NAME_PATTERN,
    'must be 1 to 63 characters of a-z, 0-9, _ and -, beginning with a letter or digit',
  )
  .refine((name) => !isId(name), 'must not look like an id (a uuid)')
  .meta({ description: 'Unique. 1 to 63 characters of `a-z`, `0-9`, `_` and `-`.' })

const COLUMN_CHARACTERS_MAX = 63
/** It travels with every message. */
const ANNOTATIONS_BYTES_MAX = 4096
const HEADERS_BYTES_MAX = 16_384

export const annotationsSchema = z
  .record(z.string(), z.any())
  .refine(
    (value) => Buffer.byteLength(JSON.stringify(value)) <= ANNOTATIONS_BYTES_MAX,
    `must be at most ${ANNOTATIONS_BYTES_MAX} bytes of JSON`,
  )
  .meta({ description: 'Free JSON of your own, at most 4 KiB.' })

const columnNames = z.array(z.string().min(1).max(COLUMN_CHARACTERS_MAX)).min(1).max(1600)

const columnsSchema = z
  .union([z.strictObject({ include: columnNames }), z.strictObject({ exclude: columnNames })], {
    error: 'must be {"include": [column, …]} or {"exclude": [column, …]}',
  })
  .nullable()

/** These are ours or the connection's; a consumer cannot set them. */
const RESERVED_HEADER =
  /^(?:host|connection|content-length|content-type|transfer-encoding|upgrade|te|trailer|expect|keep-alive|user-agent|proxy-.*|webhook-.*|millrace-.*)$/i

const headersSchema = z
  .record(
    z
      .string()
      .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, 'is not a header name')
      .refine((name) => !RESERVED_HEADER.test(name), 'is set by Millrace and cannot be replaced'),
    z.string().regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'is not a header value'),
  )
  .refine(
    (headers) => Buffer.byteLength(JSON.stringify(headers)) <= HEADERS_BYTES_MAX,
    `must be at most ${HEADERS_BYTES_MAX} bytes in all`,
  )

const pushFields = {
  url: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
    .max(2048)
    .meta({
      description: 'Where messages are POSTed.',
      example: 'https://shipping.example.com/hooks/orders',
    }),
  batch_size: z
    .int()
    .min(1)
    .max(1000)
    .optional()
    .meta({ description: 'Messages per request.', default: 1 }),
  timeout_ms: z
    .int()
    .min(100)
    .max(600_000)
    .optional()
    .meta({ description: 'How long one request may take, in ms.', default: 15_000 }),
  max_in_flight: z
    .int()
    .min(1)
    .max(1000)
    .optional()
    .meta({ description: 'Requests at the same time.', default: 10 }),
  allow_http: z.boolean().optional().meta({
    description:
      'Plain http to a public address as well. Anybody on the way can then read and change what is sent.',
    default: false,
  }),
  rate_per_second: z
    .number()
    .positive()
    .max(100_000)
    .nullable()
    .optional()
    .meta({ description: 'Requests per second; null: no limit.', default: null }),
}

export const pushSchema = z.strictObject({
  ...pushFields,
  headers: headersSchema.optional().meta({
    description:
      'Sent with every request. Write-only and encrypted at rest; left out of a change: they stay as they are.',
  }),
})

const START_FROM_WORDS = ['now', 'earliest', 'backfill'] as const

/**
 * The settings of a consumer as a caller gives them. No defaults in here: a
 * change with some of the fields must leave the others alone.
 */
export const consumerFields = {
  source: z.string().min(1).max(63).meta({ description: 'Name or id of the source.' }),
  tables: z
    .array(z.string().min(1).max(200))
    .min(1)
    .max(1000)
    .meta({
      description: 'Which tables: `schema.table`, `schema.*` or `*`.',
      example: ['public.orders'],
    }),
  actions: z
    .array(z.enum(['insert', 'update', 'delete', 'truncate']))
    .min(1)
    .max(4)
    .meta({
      description: 'Which kinds of change. `read` (rows found by a backfill) always comes.',
      default: ['insert', 'update', 'delete'],
    }),
  filter: z.string().min(1).max(4096).nullable().meta({
    description:
      'A CEL expression over `record`, `changes`, `action` and `metadata`; null: everything. A change applies from the cursor on.',
    example: 'record.total_price > 100.0',
    default: null,
  }),
  columns: columnsSchema.meta({
    description: 'Which columns leave the system; null: all.',
    default: null,
  }),
  kind: z.enum(['changes', 'rows']).meta({
    description:
      '`changes`: every change. `rows`: the latest state of each row; starts with a backfill, and changes of a row not yet delivered collapse into the newest. Fixed at creation.',
    default: 'changes',
  }),
  mode: z.enum(['pull', 'push']).meta({
    description: '`pull`: services receive and ack. `push`: messages are POSTed to `push.url`.',
    default: 'pull',
  }),
  push: pushSchema
    .nullable()
    .meta({ description: 'The webhook; needed when `mode` is `push`.', default: null }),
  start_from: z
    .union([z.enum(START_FROM_WORDS), z.iso.datetime({ offset: true })], {
      error: 'must be "now", "earliest", "backfill" or a time such as "2026-01-31T12:00:00Z"',
    })
    .meta({
      description:
        'Where a new consumer begins: `now`, `earliest` (the oldest change still kept), a time, or `backfill` (the rows that exist, then changes). Fixed at creation; seek moves the cursor later.',
      default: 'now',
    }),
  visibility_timeout_ms: z.int().min(1000).max(43_200_000).meta({
    description:
      'How long received messages are leased, in ms, unless a receive call says otherwise.',
    default: 30_000,
  }),
  max_in_flight: z
    .int()
    .min(1)
    .max(100_000)
    .meta({ description: 'Messages leased at the same time.', default: 10_000 }),
  max_waiting: z.int().min(1).max(1000).meta({
    description: 'Receive calls that may wait at the same time, per process; one more answers 429.',
    default: 100,
  }),
  max_deliveries: z.int().min(1).max(1000).nullable().meta({
    description: 'Deliveries after which a message is dead; null: delivered until acked.',
    default: null,
  }),
  ordering: z.enum(['group', 'none']).meta({
    description:
      '`group`: the messages of one group are handled in commit order. `none`: no order is kept.',
    default: 'group',
  }),
  group_by: z
    .array(z.string().min(1).max(COLUMN_CHARACTERS_MAX))
    .min(1)
    .max(32)
    .nullable()
    .meta({ description: 'Columns that make the group; null: the primary key.', default: null }),
  annotations: annotationsSchema.meta({
    description: 'Free JSON, at most 4 KiB, returned in `metadata.consumer` of every message.',
    default: {},
  }),
}

const allFields = z.strictObject(consumerFields)

/** Everything that can be left out is left out: as PATCH takes it. */
export const consumerPatchSchema = allFields.partial()
/** As PUT takes it; what is left out has its default. */
export const consumerPutSchema = consumerPatchSchema.required({ source: true, tables: true })
/** As POST takes it. */
export const consumerCreateSchema = consumerPutSchema.extend({ name: nameSchema })

/** All of them. */
export type ConsumerSettings = z.output<typeof allFields>
export type ConsumerPatch = z.output<typeof consumerPatchSchema>
export type ConsumerPut = z.output<typeof consumerPutSchema>
export type PushSettings = z.output<typeof pushSchema>
