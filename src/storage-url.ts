import { z } from 'zod'

/** Those of libpq that say for certain whether TLS is used. */
const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full']

const postgresUrl = z.string().refine(
  (text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined
    return url && /^postgres(ql)?:$/.test(url.protocol) && url.pathname.length > 1
  },
  {
    error: 'must be a Postgres URL with a database, such as postgres://user:password@host/millrace',
    abort: true,
  },
)

/** The URL of a storage, as every connection to it is to read it. */
export const storageUrl = postgresUrl
  .refine((text) => SSL_MODES.includes(new URL(text).searchParams.get('sslmode') ?? 'disable'), {
    error: `must have one of these as its sslmode, or none: ${SSL_MODES.join(', ')}`,
  })
  .transform(readModesAsLibpq)

/**
 * Left alone, pg takes `require` for `verify-full`, against everybody's documentation,
 * and warns that it will not for ever.
 */
function readModesAsLibpq(text: string): string {
  const url = new URL(text)
  if (!url.searchParams.has('sslmode')) return text
  url.searchParams.set('uselibpqcompat', 'true')
  return url.href
}
