import { sql, type Selectable } from 'kysely'

import { createNotFound } from '../errors.ts'
import { unseal } from '../storage/seal.ts'
import type { Db } from '../storage/database.ts'
import type { ReaderState, SourceTable } from '../storage/schema-types.ts'
import type { SourceSettings, SslMode, SslSettings } from './source-settings.ts'

/** A source as everybody but its reader sees it: without the password. */
export interface Source {
  readonly sourceNo: number
  /** uuid */
  readonly id: string
  readonly name: string
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly hasPassword: boolean
  readonly ssl: SslSettings
  readonly slot: string
  readonly publication: string
  /** Asked for when the publication was made; null: all. */
  readonly tables: readonly string[] | null
  readonly annotations: Record<string, unknown>
  /** `creating` and `removing` are being worked on, or were left so by a crash. */
  readonly phase: 'creating' | 'ready' | 'removing'
  readonly madeSlot: boolean
  readonly madePublication: boolean
  readonly configVersion: number
  /** Of the reader, with the reason where it is not healthy. */
  readonly state: ReaderState
  readonly stateReason: string | null
  readonly createdAt: Date
  readonly updatedAt: Date
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** By name; a page begins behind `after`. */
export async function listSources(
  db: Db,
  { limit = 1000, after = '' }: { limit?: number; after?: string } = {},
): Promise<Source[]> {
  const rows = await selectSources(db)
    .where('millrace.source.name', '>', after)
    .orderBy('millrace.source.name')
    .limit(limit)
    .execute()
  return rows.map(toSource)
}

export async function findSource(db: Db, idOrName: string): Promise<Source | undefined> {
  const column = UUID.test(idOrName) ? 'millrace.source.id' : 'millrace.source.name'
  const row = await selectSources(db).where(column, '=', idOrName).executeTakeFirst()
  return row && toSource(row)
}

/** @throws MillraceError `not_found` */
export async function expectSource(db: Db, idOrName: string): Promise<Source> {
  const source = await findSource(db, idOrName)
  if (!source) throw createNotFound('source', idOrName)
  return source
}

/**
 * What the reader connects with.
 * @throws MillraceError `secret_key_missing`
 */
export async function readSourceSettings(
  db: Db,
  sourceNo: number,
  secretKey: Buffer | undefined,
): Promise<SourceSettings | undefined> {
  const row = await db
    .selectFrom('millrace.source')
    .selectAll()
    .where('source_no', '=', sourceNo)
    .executeTakeFirst()
  if (!row) return undefined
  return {
    sourceNo,
    name: row.name,
    slot: row.slot,
    publication: row.publication,
    host: row.host,
    port: row.port,
    database: row.database,
    user: row.username,
    password:
      row.password_sealed && unseal(secretKey, row.password_sealed, passwordContext(row.id)),
    ssl: toSsl(row.ssl),
  }
}

/** Where a source's password belongs: see `seal`. */
export function passwordContext(sourceId: string): string {
  return `source:${sourceId}:password`
}

/** Tells all processes that a source was made, changed or deleted. */
export async function notifyConfig(db: Db): Promise<void> {
  await sql`notify millrace_config, 'source'`.execute(db)
}

function selectSources(db: Db) {
  return db
    .selectFrom('millrace.source')
    .leftJoin('millrace.reader', 'millrace.reader.source_no', 'millrace.source.source_no')
    .selectAll('millrace.source')
    .select(['millrace.reader.state', 'millrace.reader.state_reason'])
}

type SourceRow = Selectable<SourceTable> & {
  state: ReaderState | null
  state_reason: string | null
}

function toSource(row: SourceRow): Source {
  return {
    sourceNo: row.source_no,
    id: row.id,
    name: row.name,
    host: row.host,
    port: row.port,
    database: row.database,
    user: row.username,
    hasPassword: row.password_sealed !== null,
    ssl: toSsl(row.ssl),
    slot: row.slot,
    publication: row.publication,
    tables: row.tables,
    annotations: row.annotations,
    phase: row.phase,
    madeSlot: row.made_slot,
    madePublication: row.made_publication,
    configVersion: Number(row.config_version),
    state: row.state ?? 'starting',
    stateReason: row.state_reason,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

function toSsl(ssl: { mode: string; ca?: string }): SslSettings {
  return { ...ssl, mode: ssl.mode as SslMode }
}
