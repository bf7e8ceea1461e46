/** The embedded Postgres cannot be had here and now; the message says why, for the one who asked. */
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError'
}
