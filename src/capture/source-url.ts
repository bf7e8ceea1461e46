import { MillraceError } from '../errors.ts'
import type { SourceConnection, SslMode } from './source-settings.ts'

const MODES: readonly SslMode[] = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full']

/**
 * Takes a `postgres://` URL apart. As in libpq, `sslmode` is `prefer` where it says nothing.
 * @throws MillraceError `validation_failed`, without any part of the URL
 */
export function parseSourceUrl(text: string): SourceConnection {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw invalid('is not a URL like postgres://user:password@host:5432/database')
  }
  const decode = (part: string, name: string): string => {
    try {
      return decodeURIComponent(part)
    } catch {
      throw invalid(`has a ${name} that is not percent-encoded correctly`)
    }
  }
  const host = decode(url.hostname, 'host').replace(/^\[(.*)\]$/, '$1') || 'localhost'
  const database = decode(url.pathname.slice(1), 'database')
  const user = decode(url.username, 'user')
  if (database === '') throw invalid('names no database')
  if (user === '') throw invalid('names no user')
  return {
    host,
    port: url.port === '' ? 5432 : Number(url.port),
    database,
    user,
    password: url.password === '' ? null : decode(url.password, 'password'),
    ssl: { mode: parseMode(url.searchParams.get('sslmode')) },
  }
}

function parseMode(text: string | null): SslMode {
  if (text === null) return 'prefer'
  // libpq's `allow` tries without TLS first: to us it is `prefer`.
  const mode = MODES.find((known) => known === (text === 'allow' ? 'prefer' : text))
  if (!mode) throw invalid(`has an unknown sslmode; known are ${MODES.join(', ')}`)
  return mode
}

function invalid(detail: string): MillraceError {
  const message = `The source's URL ${detail}.`
  return new MillraceError('validation_failed', message, {
    errors: [{ pointer: '/url', detail: message }],
  })
}
