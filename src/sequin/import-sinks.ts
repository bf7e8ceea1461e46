import { dropUndefined, escapeAll } from './import-databases.ts'
import { excludeTables, importFilters, splitTable } from './import-filter.ts'
import { importDestination, type Endpoints } from './import-webhook.ts'
import {
  EntryReader,
  isFields,
  toName,
  type Fields,
  type ImportNote,
  toText,
} from './import-notes.ts'

const FUNCTION = 'is Elixir code, which does not run here'

/** Why an option of a sink stays behind. */
export const SINK_REASONS = {
  transform: `${FUNCTION}; \`columns\` leaves columns out, the rest is for the receiver`,
  routing: `${FUNCTION}; one consumer for each address, each with its \`filter\``,
  enrichment: 'a receiver asks its own database, at the time it needs to',
  load_shedding_policy: 'a slow consumer holds nobody up: its messages wait in the log',
  timestamp_format: 'times are always RFC 3339',
  max_memory_mb: 'messages are not kept in memory',
  partition_count: 'there are no partitions; groups spread by themselves',
  batch_timeout_ms: 'a batch is sent as soon as there is a message',
  active_backfill: 'is a state, no setting',
  health: 'is a state, no setting',
  id: 'ids are made by Millrace',
} as const

/** Consumers by name, of Sequin's `sinks` and its older pull and push consumers. */
export function importSinks(
  section: string,
  sinks: readonly unknown[],
  context: { endpoints: Endpoints; onlySource: string | undefined },
  notes: ImportNote[],
): Fields {
  const consumers: Fields = {}
  for (const [index, sink] of sinks.entries()) {
    const given = isFields(sink) ? sink['name'] : undefined
    const name = toName(toText(given) || `sink-${index + 1}`)
    const reader = new EntryReader(`${section}.${toText(given ?? index)}`, sink, notes)
    reader.take('name')
    if (given !== name) reader.note('name', `is "${name}" here`)
    const consumer = importSink(reader, section, context)
    if (consumer) consumers[name] = consumer
  }
  return consumers
}

function importSink(
  reader: EntryReader,
  section: string,
  { endpoints, onlySource }: { endpoints: Endpoints; onlySource: string | undefined },
): Fields | undefined {
  const way = importDestination(reader, section, endpoints)
  if (!way) return undefined
  const database = reader.takeText('database')
  const actions = reader.takeList('actions')
  const annotations = reader.take('annotations')
  const { tables, group_by } = importTables(reader)
  const filter = [takeFilter(reader), takeExclusions(reader)].filter((part) => part !== undefined)
  const ordering = reader.take('message_grouping') === false ? 'none' : undefined
  const consumer = {
    source: database === undefined ? (onlySource ?? 'unknown') : toName(database),
    tables,
    ...(actions.length === 0 ? {} : { actions }),
    ...(filter.length === 0 ? {} : { filter: filter.join(' && ') }),
    ...way,
    ...dropUndefined({
      start_from: takeStart(reader),
      max_in_flight: reader.takeNumber('max_ack_pending', 1, 100_000),
      max_waiting: reader.takeNumber('max_waiting', 1, 1000),
      max_deliveries: takeDeliveries(reader),
      ordering,
      group_by: ordering === undefined ? group_by : undefined,
    }),
    ...(isFields(annotations) ? { annotations: escapeAll(annotations) } : {}),
  }
  if (database === undefined && onlySource === undefined) {
    reader.note('database', 'is missing: name the source in the file')
  }
  noteStatus(reader)
  reader.finish(SINK_REASONS)
  return consumer
}

/** Groups are of the whole consumer here, and of each table there. */
function importTables(reader: EntryReader): { tables: string[]; group_by: unknown } {
  const source = reader.enter('source')
  const single = reader.takeText('table')
  const listed = reader
    .takeList('tables')
    .map((entry) => (isFields(entry) ? entry : { name: entry }))
  const entries = single === undefined ? listed : [{ name: single }, ...listed]
  const groups = new Set<string>()
  for (const { group_column_names: columns } of entries) {
    groups.add(JSON.stringify(columns ?? null))
  }
  const alone = reader.take('group_column_names')
  if (alone !== undefined) groups.clear()
  if (alone !== undefined) groups.add(JSON.stringify(alone))
  if (groups.size > 1) {
    reader.note(
      'tables',
      'have different group columns: make a consumer for each; grouped by primary key now',
    )
  }
  const included = [
    ...source.takeList('include_schemas').map((schema) => `${toText(schema)}.*`),
    ...source.takeList('include_tables').map((table) => splitTable(toText(table)).join('.')),
  ]
  const named = entries.map(({ name }) => splitTable(toText(name)).join('.'))
  const all = named.length > 0 ? named : included
  const [group] = groups.size === 1 ? groups : []
  return {
    tables: all.length > 0 ? [...new Set(all)] : ['*'],
    group_by: group === undefined || group === 'null' ? undefined : JSON.parse(group),
  }
}

function takeExclusions(reader: EntryReader): string | undefined {
  const source = reader.enter('source')
  for (const option of ['include_schemas', 'include_tables']) source.take(option)
  const excluded = excludeTables(
    source.takeList('exclude_schemas'),
    source.takeList('exclude_tables'),
  )
  source.finish()
  return excluded
}

function takeFilter(reader: EntryReader): string | undefined {
  const filters = reader.takeList('filters')
  const name = reader.take('filter')
  if (name !== undefined && name !== 'none') {
    reader.note(
      'filter',
      `${FUNCTION}: until there is a CEL \`filter\` in its place ALL messages come`,
    )
  }
  if (filters.length === 0) return undefined
  const expression = importFilters(filters)
  if (expression === undefined) {
    reader.note(
      'filters',
      'one of them has no like: until there is a CEL `filter` ALL messages come',
    )
  }
  return expression
}

function takeStart(reader: EntryReader): string | undefined {
  const backfill = reader.take('initial_backfill')
  if (backfill === undefined || backfill === false) return undefined
  if (Array.isArray(backfill)) {
    reader.note('initial_backfill', 'is of whole tables here; `millrace backfill` takes a part')
  }
  return 'backfill'
}

/** There they were discarded; here they are dead, and can be redriven. */
function takeDeliveries(reader: EntryReader): number | string | undefined {
  const retries = reader.takeNumber('max_retry_count', 1, 1000)
  const deliveries = reader.takeNumber('max_deliver', 1, 1000)
  if (retries !== undefined) {
    reader.note(
      'max_retry_count',
      'is `max_deliveries`: beyond it a message is dead, not discarded',
    )
  }
  return retries ?? deliveries
}

function noteStatus(reader: EntryReader): void {
  const status = reader.take('status')
  if (status === undefined || status === 'active') return
  reader.note('status', `is a state here: it begins active; "millrace consumers pause" stops it`)
}
