import type { z } from '@hono/zod-openapi'

import type { SourceInput } from '../capture/create-source.ts'
import type { SourceConnection } from '../capture/source-settings.ts'
import { parseSourceUrl } from '../capture/source-url.ts'
import type { Source } from '../capture/source.ts'
import type { SourcePatch } from '../capture/update-source.ts'
import { MillraceError, type ErrorDetail } from '../errors.ts'
import type { sourcePatch } from './schemas/source.ts'

type Body = z.output<typeof sourcePatch>

const URL_PARTS = ['host', 'port', 'database', 'user'] as const

/** @throws MillraceError `validation_failed` */
export function toSourceInput(name: string, body: Body): SourceInput {
  const connection = readConnection(body)
  const missing = (['host', 'database', 'user'] as const).filter(
    (field) => connection[field] === undefined,
  )
  if (missing.length > 0) {
    throw invalid(
      missing.map((field) => ({
        pointer: `/${field}`,
        detail: 'is missing; give it, or `url` instead',
      })),
    )
  }
  const { slot, publication, tables, create, annotations } = body
  return {
    name,
    connection: {
      port: 5432,
      password: null,
      ssl: { mode: 'prefer' },
      ...connection,
    } as SourceConnection,
    ...(slot === undefined ? {} : { slot }),
    ...(publication === undefined ? {} : { publication }),
    ...(tables === undefined ? {} : { tables }),
    ...(create === undefined ? {} : { create }),
    ...(annotations === undefined ? {} : { annotations }),
  }
}

/**
 * What a change asks for. `tables` say what a publication is made of; once it is made
 * the database's owner changes it there.
 * @throws MillraceError `validation_failed`
 */
export function toSourcePatch(source: Source, body: Body): SourcePatch {
  if (body.tables !== undefined && !isSameTables(source.tables, body.tables)) {
    throw invalid([
      {
        pointer: '/tables',
        detail: `are fixed at creation; change the publication itself: alter publication "${source.publication}" add table …`,
      },
    ])
  }
  const connection = readConnection(body)
  const { slot, publication, annotations } = body
  return {
    ...(Object.keys(connection).length === 0 ? {} : { connection }),
    ...(slot === undefined ? {} : { slot }),
    ...(publication === undefined ? {} : { publication }),
    ...(annotations === undefined ? {} : { annotations }),
  }
}

/** Only what was given. A URL without a password says nothing about the password. */
function readConnection(body: Body): Partial<SourceConnection> {
  const { url, password } = body
  const ssl = body.ssl && {
    mode: body.ssl.mode,
    ...(body.ssl.ca === undefined ? {} : { ca: body.ssl.ca }),
  }
  const beside = {
    ...(ssl === undefined ? {} : { ssl }),
    ...(password === undefined ? {} : { password }),
  }
  if (url === undefined) {
    const { host, port, database, user } = body
    return {
      ...(host === undefined ? {} : { host }),
      ...(port === undefined ? {} : { port }),
      ...(database === undefined ? {} : { database }),
      ...(user === undefined ? {} : { user }),
      ...beside,
    }
  }
  const twice = URL_PARTS.filter((field) => body[field] !== undefined)
  if (twice.length > 0) {
    throw invalid(
      twice.map((field) => ({ pointer: `/${field}`, detail: 'is in `url` already; give one' })),
    )
  }
  const { password: urlPassword, ...parsed } = parseSourceUrl(url)
  return { ...parsed, ...(urlPassword === null ? {} : { password: urlPassword }), ...beside }
}

function isSameTables(before: readonly string[] | null, after: readonly string[] | null): boolean {
  const list = (tables: readonly string[] | null): string => JSON.stringify(tables?.toSorted())
  return list(before) === list(after)
}

function invalid(errors: readonly ErrorDetail[]): MillraceError {
  const { pointer, detail } = errors[0]!
  return new MillraceError('validation_failed', `${pointer.slice(1)} ${detail}`, { errors })
}
