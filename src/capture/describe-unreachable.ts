import { isPoolerRefusal } from '../storage/find-pooler.ts'
import { sqlStateOf } from './capture-failure.ts'
import { DIRECT_PORT } from './find-pooler-fault.ts'
import type { SourceConnection } from './source-settings.ts'

const PG_MESSAGES: Readonly<Record<string, string>> = {
  'timeout expired': 'ETIMEDOUT',
  'There was an error establishing an SSL connection': 'EPROTO',
}

/** Why there is no connection to a source, and what to look at; never a password. */
export function describeUnreachable(connection: SourceConnection, error: unknown): string {
  const { host, port, database } = connection
  const place = `${host}:${port}`
  // Node reports several failed addresses at once, without a message.
  const { code = 'no answer', message = '' } = error as Partial<NodeJS.ErrnoException>
  // What pg finds itself has no code.
  switch (PG_MESSAGES[message] ?? code) {
    case 'ECONNREFUSED':
      return `nothing listens at ${place}: check host and port, and that Postgres runs and takes connections from other machines`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `there is no host called ${host}: check its name`
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `${place} does not answer: check host and port, and the firewalls in between`
    case 'EPROTO':
      return `what answers at ${place} is not Postgres, or refuses all: check host and port`
  }
  if (isPoolerRefusal(error)) return `a pooler answers at ${place}: ${message}; ${DIRECT_PORT}`
  const hint =
    sqlStateOf(error).slice(0, 2) === '28' ? '; check the user, the password and pg_hba.conf' : ''
  return `${place}/${database} does not let us in: ${message || code}${hint}`
}
