import {
  EntryReader,
  escapeText,
  isFields,
  toName,
  type Fields,
  type ImportNote,
  toText,
} from './import-notes.ts'

/** Why an option of a database stays behind. */
export const DATABASE_REASONS = {
  ipv6: 'is found out when connecting',
  use_local_tunnel: 'there are no tunnels; Millrace runs where it reaches the database',
  pool_size: 'a source has one connection for reading and one for backfills',
  queue_interval: 'belongs to a pool that does not exist here',
  queue_target: 'belongs to a pool that does not exist here',
  await_database: 'a database that does not answer at start is an error of applying; try again',
  primary: 'sources are read from the primary: give its address as the source',
} as const

/** Sources by name, of Sequin's `databases`. */
export function importDatabases(databases: readonly unknown[], notes: ImportNote[]): Fields {
  const sources: Fields = {}
  for (const [index, database] of databases.entries()) {
    const given = isFields(database) ? database['name'] : undefined
    const name = toName(toText(given) || `database-${index + 1}`)
    const reader = new EntryReader(`databases.${toText(given ?? index)}`, database, notes)
    reader.take('name')
    if (given !== name) reader.note('name', `is "${name}" here`)
    sources[name] = importDatabase(reader)
  }
  return sources
}

function importDatabase(reader: EntryReader): Fields {
  const url = reader.takeText('url')
  const parts = {
    host: reader.takeText('hostname'),
    port: reader.takeNumber('port', 1, 65_535),
    database: reader.takeText('database'),
    user: reader.takeText('username'),
    password: reader.takeText('password'),
  }
  const ssl = reader.take('ssl')
  const annotations = reader.take('annotations')
  const publication = reader.enter('publication')
  const slot = reader.enter('slot')
  const source = {
    ...(url === undefined ? dropUndefined(parts) : { url }),
    // Sequin never checks certificates: `require` does the same.
    ...(typeof ssl === 'boolean' ? { ssl: { mode: ssl ? 'require' : 'disable' } } : {}),
    ...dropUndefined({ publication: publication.takeText('name') }),
    ...(isFields(annotations) ? { annotations: escapeAll(annotations) } : {}),
  }
  if (publication.take('create_if_not_exists') === false) {
    publication.note(
      'create_if_not_exists',
      'false is `create: false` of the source; set it if meant',
    )
  }
  publication.finish({ init_sql: 'run it by hand; Millrace makes `create publication` itself' })
  if (slot.take('name') !== undefined) {
    slot.note(
      'name',
      'a slot has one reader: Millrace makes its own, so that both can run side by side; drop this one when Sequin has gone',
    )
  }
  slot.take('create_if_not_exists')
  slot.finish()
  reader.finish(DATABASE_REASONS)
  return source
}

export function dropUndefined(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

export function escapeAll(value: unknown): unknown {
  if (typeof value === 'string') return escapeText(value)
  if (Array.isArray(value)) return value.map(escapeAll)
  if (!isFields(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, escapeAll(item)]))
}
