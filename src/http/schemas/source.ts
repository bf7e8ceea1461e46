import { z } from '@hono/zod-openapi'

import { annotationsSchema, nameSchema } from '../../queue/consumer-settings.ts'
import { pageOf, timeSchema } from './shared.ts'

const IDENTIFIER_BYTES_MAX = 63

const sslSchema = z.strictObject({
  mode: z.enum(['disable', 'prefer', 'require', 'verify-ca', 'verify-full']),
  ca: z
    .string()
    .max(65_536)
    .optional()
    .meta({ description: 'Certificates to trust, in PEM; left out: those of the system.' }),
})

const slotSchema = z
  .string()
  .regex(/^[a-z0-9_]{1,63}$/, 'must be 1 to 63 characters of a-z, 0-9 and _')

const sourceFields = {
  url: z
    .string()
    .max(4096)
    .regex(/^postgres(?:ql)?:\/\//, 'must begin with postgres://')
    .meta({
      description:
        'A connection string, instead of host, port, database, user, password and ssl. Write-only.',
      example: 'postgres://millrace:secret@db.example.com:5432/shop?sslmode=verify-full',
    }),
  host: z.string().min(1).max(255),
  port: z.int().min(1).max(65_535).meta({ default: 5432 }),
  database: z.string().min(1).max(IDENTIFIER_BYTES_MAX),
  user: z.string().min(1).max(IDENTIFIER_BYTES_MAX),
  password: z
    .string()
    .max(1024)
    .nullable()
    .meta({ description: 'Write-only, encrypted at rest; null: the server asks for none.' }),
  ssl: sslSchema.meta({
    description: 'Left out: as the URL says, else `prefer`. May stand beside `url`.',
    default: { mode: 'prefer' },
  }),
  slot: slotSchema.meta({ description: 'The replication slot; left out: `millrace_<name>`.' }),
  publication: z
    .string()
    .min(1)
    .max(IDENTIFIER_BYTES_MAX)
    .meta({ description: 'The publication; left out: `millrace_<name>`.' }),
  create: z.boolean().meta({
    description: 'Whether to make the slot and the publication where they do not exist.',
    default: true,
  }),
  tables: z
    .array(z.string().min(1).max(200))
    .min(1)
    .max(10_000)
    .nullable()
    .meta({
      description: 'The tables of a publication that is made, as `schema.table`; null: all.',
      example: ['public.orders'],
    }),
  annotations: annotationsSchema,
}

const someFields = z.strictObject(sourceFields).partial()
const wayDescription = 'Either `url`, or `host`, `database` and `user`.'

export const sourcePut = someFields.openapi('SourcePut', { description: wayDescription })
export const sourcePatch = someFields.openapi('SourcePatch')
export const sourceTest = z
  .strictObject({ name: nameSchema.optional(), ...someFields.shape })
  .openapi('SourceTest', { description: wayDescription })
export const sourceCreate = z
  .strictObject({ name: nameSchema, ...someFields.shape })
  .openapi('SourceCreate', { description: wayDescription })

const stateSchema = z.enum(['starting', 'healthy', 'retrying', 'needs_attention', 'paused'])

export const sourceSchema = z
  .object({
    id: z.uuid(),
    name: nameSchema,
    host: z.string(),
    port: z.int(),
    database: z.string(),
    user: z.string(),
    ssl: z.object({ mode: sslSchema.shape.mode, ca: z.string().optional() }),
    slot: z.string(),
    publication: z.string(),
    tables: z
      .array(z.string())
      .nullable()
      .meta({ description: 'The tables asked for when the publication was made; null: all.' }),
    annotations: annotationsSchema,
    state: stateSchema.meta({ description: 'Of the reader.' }),
    state_reason: z.string().nullable().meta({ description: 'Why it is not healthy.' }),
    created_at: timeSchema,
    updated_at: timeSchema,
  })
  .openapi('Source')

export const sourceList = pageOf(sourceSchema).openapi('SourceList')

const typeUse = {
  type: z.string().meta({
    description: 'As Postgres prints it, with its modifier; described under `types`.',
    example: 'numeric(10,2)',
  }),
  dimensions: z.int().meta({ description: 'Of an array, as declared; 0: it is none.' }),
}

const columnTypeSchema = z
  .object({
    type: typeUse.type,
    schema: z.string(),
    name: z.string().meta({ description: 'Without schema and modifier.' }),
    kind: z.enum(['scalar', 'enum', 'array', 'composite', 'domain']),
    json: z
      .enum(['boolean', 'integer', 'bigint', 'float', 'decimal', 'string', 'any', 'map'])
      .nullable()
      .meta({
        description:
          'What a scalar is in `record`. `bigint` and `decimal` may have more digits than a double holds; `float` and `decimal` may be the strings NaN, Infinity, -Infinity; `map`: strings and nulls by strings.',
      }),
    precision: z.int().nullable().meta({ description: 'Of a numeric with a limit.' }),
    scale: z.int().nullable(),
    labels: z.array(z.string()).nullable().meta({ description: 'Of an enum, in order.' }),
    base: z
      .object(typeUse)
      .nullable()
      .meta({ description: 'The elements of an array, what a domain stands for.' }),
    fields: z
      .array(z.object({ name: z.string(), ...typeUse }))
      .nullable()
      .meta({ description: 'Of a composite.' }),
  })
  .openapi('ColumnType')

export const sourceTablesResponse = z
  .object({
    data: z.array(
      z
        .object({
          schema: z.string(),
          table: z.string(),
          captured: z.boolean().meta({ description: 'Whether the publication holds it.' }),
          replica_identity: z.enum(['default', 'full', 'index', 'nothing']),
          primary_key: z.array(z.string()),
          columns: z.array(
            z.object({
              name: z.string(),
              ...typeUse,
              key: z.boolean(),
              nullable: z.boolean(),
              published: z.boolean().meta({
                description: 'Whether it arrives in `record`; generated ones mostly do not.',
              }),
            }),
          ),
          estimated_rows: z
            .int()
            .nullable()
            .meta({ description: 'As the planner believes; null: unknown.' }),
        })
        .openapi('SourceTable'),
    ),
    types: z
      .array(columnTypeSchema)
      .meta({ description: 'Every type that a column has or is made of, by name.' }),
  })
  .openapi('SourceTables')

export const gapSchema = z
  .object({
    from: z
      .string()
      .meta({ description: 'LSN up to which changes are stored.', example: '0/16B3748' }),
    to: z.string().meta({ description: 'LSN from which they are again.', example: '0/16F0A10' }),
    reason: z.string(),
    at: timeSchema,
    accepted: z.boolean().optional().meta({ description: 'Somebody said to go on behind it.' }),
  })
  .openapi('SourceGap')

export const sourceHealthResponse = z
  .object({
    state: stateSchema,
    reason: z.string().nullable(),
    remedy: z.string().nullable().meta({ description: 'What to run or to change.' }),
    since: timeSchema.meta({ description: 'When the state began.' }),
    gaps: z
      .array(gapSchema)
      .meta({ description: 'LSNs between which changes are known to be missing.' }),
    undecodable: z
      .int()
      .meta({ description: 'Changes that could not be decoded and are kept aside.' }),
    confirmed_lsn: z.string().nullable().meta({ description: 'What the slot was told.' }),
    confirmed_at: timeSchema.nullable(),
    last_commit_at: timeSchema
      .nullable()
      .meta({ description: 'Commit time of the newest change stored.' }),
    slot: z
      .object({
        active: z.boolean(),
        lag_bytes: z.int().meta({ description: 'WAL not yet confirmed.' }),
        wal_status: z.string().nullable(),
        safe_wal_size: z.int().nullable().meta({ description: 'Bytes until the slot is lost.' }),
      })
      .nullable()
      .meta({ description: 'Null: the slot is gone or the source did not answer.' }),
  })
  .openapi('SourceHealth')
