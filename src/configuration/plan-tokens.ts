import { MillraceError } from '../errors.ts'
import type { TokenEntry } from '../http/schemas/configuration.ts'
import type { Db } from '../storage/database.ts'
import { compareToken } from '../tokens/token-store.ts'
import type { Token } from '../tokens/token.ts'
import { compareFields, hideField, type ConfigurationChange } from './configuration-plan.ts'

/** What is to be done, and to which token. */
export interface TokenStep {
  readonly change: ConfigurationChange
  /** The one that is changed or replaced. */
  readonly before: Token | undefined
}

/**
 * What a token needs to be as its entry says; undefined: nothing.
 * @param named those that live and have its name
 * @throws MillraceError `validation_failed`
 */
export async function planToken(
  db: Db,
  name: string,
  entry: TokenEntry,
  named: readonly Token[],
): Promise<TokenStep | undefined> {
  const given = entry.token === undefined ? undefined : await compareToken(db, entry.token)
  if (given) expectUsable(given, name)
  const before = given?.token ?? named[0]
  if (!given && named.length > 1) {
    throw invalid('', `is the name of ${named.length} tokens; revoke those that are not meant`)
  }
  const { token: secret, ...shown } = entry
  if (!before) {
    const fields = compareFields({}, shown)
    const hidden = secret === undefined ? [] : [hideField('token')]
    return {
      change: { kind: 'token', name, action: 'create', fields: [...fields, ...hidden] },
      before,
    }
  }
  const fields = compareFields(toComparable(before), toComparable(readEntry(entry)))
  if (secret !== undefined && !given) {
    const change = { kind: 'token', name, action: 'replace' } as const
    return { change: { ...change, fields: [...fields, hideField('token')] }, before }
  }
  return fields.length === 0
    ? undefined
    : { change: { kind: 'token', name, action: 'update', fields }, before }
}

/** A token as the storage takes it. */
export function readEntry(entry: TokenEntry): Pick<Token, 'scopes' | 'consumers' | 'expiresAt'> {
  return {
    scopes: [...new Set(entry.scopes)],
    consumers: entry.consumers === '*' ? null : [...new Set(entry.consumers)],
    expiresAt: entry.expires_at === null ? null : new Date(entry.expires_at),
  }
}

/** Scopes and consumers are sets: their order is nothing to change. */
function toComparable(token: Pick<Token, 'scopes' | 'consumers' | 'expiresAt'>) {
  return {
    scopes: token.scopes.toSorted(),
    consumers: token.consumers?.toSorted() ?? '*',
    expires_at: token.expiresAt?.toISOString() ?? null,
  }
}

/** What was revoked does not come back because a file still has it. */
function expectUsable(given: { token: Token; isSame: boolean }, name: string): void {
  const { token, isSame } = given
  if (!isSame) throw invalid('/token', 'has the id of another token')
  if (token.revokedAt !== null) throw invalid('/token', 'was revoked; make another one')
  if (token.name !== name) throw invalid('/token', `is that of the token "${token.name}"`)
}

function invalid(pointer: string, detail: string): MillraceError {
  return new MillraceError('validation_failed', `${pointer.slice(1)} ${detail}`.trim(), {
    errors: [{ pointer, detail }],
  })
}
