import { sql, type Selectable } from 'kysely'

import type { Db } from '../storage/database.ts'
import type { Schema } from '../storage/schema-types.ts'
import { generateToken, hashSecret, isSecret, parseToken, type Scope, type Token } from './token.ts'

/** Every request counts as a use; the time is written at most so often. */
const LAST_USED_STEP_MS = 60_000
/** Revoked and expired tokens stay in the list for so long. */
const REMAINS_DAYS = 30

export interface NewToken {
  name: string
  scopes: readonly Scope[]
  /** Null: all. */
  consumers: readonly string[] | null
  expiresAt: Date | null
}

/**
 * Answers the token's text as well: it is kept nowhere and cannot be asked for again.
 * @param given a token's text that somebody made before
 */
export async function createToken(
  db: Db,
  token: NewToken,
  given?: string,
): Promise<{ token: Token; text: string }> {
  const parts = given === undefined ? undefined : parseToken(given)
  const { id, secret, text } = parts && given ? { ...parts, text: given } : generateToken()
  const row = await db
    .insertInto('millrace.token')
    .values({
      id,
      name: token.name,
      secret_sha256: hashSecret(secret),
      scopes: [...token.scopes],
      consumers: token.consumers && [...token.consumers],
      expires_at: token.expiresAt,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  return { token: readToken(row), text }
}

/** By name, those that were not revoked. */
export async function listLiveTokens(db: Db): Promise<Token[]> {
  const rows = await db
    .selectFrom('millrace.token')
    .selectAll()
    .where('revoked_at', 'is', null)
    .orderBy('name')
    .orderBy('id')
    .execute()
  return rows.map(readToken)
}

/** Whether the text is that of a token, which may be revoked; undefined: its id is nobody's. */
export async function compareToken(
  db: Db,
  text: string,
): Promise<{ token: Token; isSame: boolean } | undefined> {
  const parts = parseToken(text)
  if (!parts) return undefined
  const row = await db
    .selectFrom('millrace.token')
    .selectAll()
    .where('id', '=', parts.id)
    .executeTakeFirst()
  return row && { token: readToken(row), isSame: isSecret(parts.secret, row.secret_sha256) }
}

/** Changes what a token may do; effective in every process within seconds. */
export async function updateToken(
  db: Db,
  id: string,
  { scopes, consumers, expiresAt }: Omit<NewToken, 'name'>,
): Promise<void> {
  await db
    .updateTable('millrace.token')
    .set({
      scopes: [...scopes],
      consumers: consumers && [...consumers],
      expires_at: expiresAt,
    })
    .where('id', '=', id)
    .execute()
}

/** By id. */
export async function listTokens(
  db: Db,
  options: { limit: number; after?: string },
): Promise<Token[]> {
  let query = db.selectFrom('millrace.token').selectAll().orderBy('id').limit(options.limit)
  if (options.after !== undefined) query = query.where('id', '>', options.after)
  return (await query.execute()).map(readToken)
}

/** Ends a token; false: there is none that lives. Also forgets those that ended long ago. */
export async function revokeToken(db: Db, id: string): Promise<boolean> {
  await db
    .deleteFrom('millrace.token')
    .where(
      sql<boolean>`least(revoked_at, expires_at) < now() - make_interval(days => ${REMAINS_DAYS})`,
    )
    .execute()
  const { numUpdatedRows } = await db
    .updateTable('millrace.token')
    .set({ revoked_at: sql`now()` })
    .where('id', '=', id)
    .where('revoked_at', 'is', null)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** The token whose text was presented; undefined: unknown, revoked or expired. Notes the use. */
export async function findTokenByText(db: Db, text: string): Promise<Token | undefined> {
  const parts = parseToken(text)
  if (!parts) return undefined
  const row = await db
    .selectFrom('millrace.token')
    .selectAll()
    .select(sql<boolean>`expires_at <= now()`.as('is_expired'))
    .where('id', '=', parts.id)
    .executeTakeFirst()
  if (!row || !isSecret(parts.secret, row.secret_sha256)) return undefined
  if (row.revoked_at !== null || row.is_expired) return undefined
  if (row.last_used_at === null || Date.now() - row.last_used_at.getTime() > LAST_USED_STEP_MS) {
    await noteUse(db, parts.id)
  }
  return readToken(row)
}

/** Worth less than the call itself: a storage that takes no writes may still be read. */
async function noteUse(db: Db, id: string): Promise<void> {
  await db
    .updateTable('millrace.token')
    .set({ last_used_at: sql`now()` })
    .where('id', '=', id)
    .execute()
    .catch(() => undefined)
}

function readToken(row: Selectable<Schema['millrace.token']>): Token {
  return {
    id: row.id,
    name: row.name,
    scopes: row.scopes as Scope[],
    consumers: row.consumers,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    lastUsedAt: row.last_used_at,
  }
}
