import { parse } from 'yaml'

import { importDatabases } from './import-databases.ts'
import {
  EntryReader,
  isFields,
  toName,
  type Fields,
  type ImportNote,
  toText,
} from './import-notes.ts'
import { importSinks } from './import-sinks.ts'
import { importEndpoints } from './import-webhook.ts'

export interface SequinImport {
  /** As a `millrace.yaml` has it. */
  readonly configuration: { sources: Fields; consumers: Fields; tokens: Fields }
  /** What is not carried over, or not as it was, and why. */
  readonly notes: readonly ImportNote[]
}

/** Why a section of the file stays behind. */
export const SECTION_REASONS = {
  account: 'there is one account: the server',
  users: 'people come into the console with a token',
  functions: 'are Elixir code, which does not run here; see each sink that uses one',
  change_retentions: 'every change is kept for MILLRACE_RETENTION, and can be replayed',
} as const

/**
 * Turns a `sequin.yaml` into a configuration of Millrace. Variables stay as they are.
 * @throws Error for what is no YAML, or no object
 */
export function importSequin(text: string): SequinImport {
  const file: unknown = parse(text, { merge: true })
  if (!isFields(file)) throw new Error('is no sequin.yaml: it has no sections')
  const notes: ImportNote[] = []
  const reader = new EntryReader('', file, [])
  const list = (section: string): unknown[] => reader.takeList(section)
  const sources = importDatabases(list('databases'), notes)
  const endpoints = importEndpoints(list('http_endpoints'), notes)
  const names = Object.keys(sources)
  const context = { endpoints, onlySource: names.length === 1 ? names[0] : undefined }
  const consumers: Fields = {}
  for (const section of ['sinks', 'http_pull_consumers', 'http_push_consumers']) {
    Object.assign(consumers, importSinks(section, list(section), context, notes))
  }
  const tokens = importTokens(list('api_tokens'), notes)
  for (const section of Object.keys(file)) {
    if (section in SECTION_REASONS) {
      notes.push({
        option: section,
        note: SECTION_REASONS[section as keyof typeof SECTION_REASONS],
      })
    } else if (!SECTIONS.has(section)) {
      notes.push({ option: section, note: 'is not a section that is known here; not carried over' })
    }
  }
  return { configuration: { sources, consumers, tokens }, notes }
}

const SECTIONS = new Set([
  'databases',
  'http_endpoints',
  'sinks',
  'http_pull_consumers',
  'http_push_consumers',
  'api_tokens',
])

/** Sequin's tokens may do everything; those here work with queues. */
function importTokens(given: readonly unknown[], notes: ImportNote[]): Fields {
  const tokens: Fields = {}
  for (const [index, token] of given.entries()) {
    const name = toText((isFields(token) && token['name']) || `token-${index + 1}`)
    const reader = new EntryReader(`api_tokens.${toName(name)}`, token, notes)
    reader.take('name')
    tokens[name] = { scopes: ['consume', 'read'] }
    reader.note('', 'may receive, settle and look; give it other scopes if it has to do more')
    reader.finish({ token: 'has another form here: `apply` makes a new one and shows it once' })
  }
  return tokens
}
