import pg from 'pg'

import { isPoolerRefusal } from '../storage/find-pooler.ts'
import { goDirect } from './find-pooler-fault.ts'
import { DecodeError } from './pgoutput/decode-error.ts'
import type { SourceSettings } from './source-settings.ts'

/**
 * Something that only a person can mend. Trying again finds out whether they did;
 * until then nothing is made up for, and nothing passed over.
 */
export class NeedsAttentionError extends Error {
  override readonly name = 'NeedsAttentionError'
  readonly remedy: string

  constructor(reason: string, remedy: string, options?: ErrorOptions) {
    super(reason, options)
    this.remedy = remedy
  }
}

/** The storage, not the source, did not do as it was asked: tried again for ever. */
export class StorageError extends Error {
  override readonly name = 'StorageError'
}

export type CaptureFailure =
  | { readonly state: 'retrying'; readonly reason: string; readonly remedy: null }
  | { readonly state: 'needs_attention'; readonly reason: string; readonly remedy: string }

/** What a person runs once it is sure that changes are lost. */
export const acceptGapBy = ({ name }: { readonly name: string }): string =>
  `millrace sources accept-gap ${name} --yes; then backfill its tables`

type Remedy = (source: SourceSettings) => string

/**
 * SQLSTATEs of the source that no waiting will mend, by code or class. All others
 * are tried again: restarts and fail-overs (57P01–57P03), a slot that is still held
 * (55006), too many connections (53300), broken connections (08), and what is unknown.
 */
const REMEDIES: Readonly<Record<string, Remedy>> = {
  '28': ({ name, user }) =>
    `check the password of role "${user}" and pg_hba.conf on the source, then update source "${name}"`,
  '3D000': ({ name, database }) =>
    `database "${database}" is gone or has another name: update source "${name}"`,
  '42501': ({ user }) =>
    `alter role ${pg.escapeIdentifier(user)} replication; -- and grant what the reason names`,
  // Before Postgres 18, which warns and goes on.
  '42704': (source) =>
    `select pg_replication_slot_advance('${source.slot}', pg_current_wal_lsn()); -- passes over the WAL that was written while publication ${pg.escapeIdentifier(source.publication)} did not exist; then ${acceptGapBy(source)}`,
  '55000': (source) =>
    `select pg_drop_replication_slot('${source.slot}'); select pg_create_logical_replication_slot('${source.slot}', 'pgoutput'); -- the slot can no longer be read; then ${acceptGapBy(source)}`,
  '54000': ({ slot }) => `a change is too large for the slot "${slot}" to be sent`,
}

/** Postgres cannot decode a row of more than 1 GB as text; the slot stands before it for ever. */
const TOO_LARGE = /invalid memory alloc request size/

/** What to do about an error of capturing, in the words an operator sees. Never a password. */
export function classifyFailure(error: unknown, source: SourceSettings): CaptureFailure {
  const reason = error instanceof Error ? error.message : String(error)
  if (error instanceof NeedsAttentionError) {
    return { state: 'needs_attention', reason, remedy: error.remedy }
  }
  if (error instanceof DecodeError) {
    const remedy = 'this version cannot read what the source sends: report it, with the reason'
    return { state: 'needs_attention', reason, remedy }
  }
  if (error instanceof StorageError) {
    return { state: 'retrying', reason: `the storage: ${reason}`, remedy: null }
  }
  if (isPoolerRefusal(error)) {
    return {
      state: 'needs_attention',
      reason: `a pooler answers: ${reason}`,
      remedy: goDirect(source),
    }
  }
  const code = sqlStateOf(error)
  const remedy = REMEDIES[code] ?? REMEDIES[code.slice(0, 2)]
  if (remedy) return { state: 'needs_attention', reason, remedy: remedy(source) }
  if (code === 'XX000' && TOO_LARGE.test(reason)) {
    return { state: 'needs_attention', reason, remedy: REMEDIES['54000']!(source) }
  }
  return { state: 'retrying', reason, remedy: null }
}

/** The slot is in use, which another process will end soon, or has. */
export function isSlotInUse(error: unknown): boolean {
  return sqlStateOf(error) === '55006'
}

export function sqlStateOf(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) return ''
  return typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : ''
}
