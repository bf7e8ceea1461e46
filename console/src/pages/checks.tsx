import type { client } from '../api.ts'
import { formatPlural } from '../format.ts'
import { Code } from '../ui/code.tsx'
import { Icon } from '../ui/icon.tsx'

export type Check = Awaited<ReturnType<typeof client.sources.test>>['checks'][number]

/** In the order in which the server makes them. */
const CHECK_NAMES: Record<string, string> = {
  reachable: 'The database answers',
  pooler: 'Sessions come through',
  version: 'Its version is supported',
  wal_level: 'It writes logical WAL',
  replication_privilege: 'The role may replicate',
  slot: 'Replication slot',
  idle_slot_timeout: 'An idle slot is kept',
  slot_wal_limit: 'WAL kept for the slot is limited',
  catalog_xmin_age: 'The slot does not hold up vacuum',
  free_slots: 'A slot is free',
  free_senders: 'A WAL sender is free',
  publication: 'Publication',
  tables_covered: 'The publication holds the tables',
  replica_identity: 'Replica identity of the tables',
  own_storage: 'It does not capture its own writes',
}

const STATUS_WORDS = { pass: 'Passed', warn: 'Worth knowing', fail: 'Failed' }
const STATUS_ICONS = { pass: 'check', warn: 'alert', fail: 'cross' } as const

interface ChecksProps {
  /** Undefined: they are made for the first time. */
  checks: readonly Check[] | undefined
  isChecking: boolean
}

/** What a database is looked at for, what was found, and the SQL that mends it. */
export function Checks({ checks, isChecking }: ChecksProps) {
  return (
    <section class="section" aria-labelledby="checks">
      <div class="section-head">
        <h2 id="checks" aria-live="polite">
          {checks ? summarize(checks) : 'Looking at the database …'}
        </h2>
        <span class="hint checking" role="status">
          {isChecking && checks && (
            <>
              <span class="spinner" aria-hidden="true" /> Checking again
            </>
          )}
        </span>
      </div>
      <ul class="card checks">
        {checks
          ? checks.map((check) => <CheckItem key={check.name} check={check} />)
          : Object.entries(CHECK_NAMES).map(([name, text]) => (
              <li key={name} class="pending">
                <span class="spinner" aria-hidden="true" />
                <div>{text}</div>
              </li>
            ))}
      </ul>
    </section>
  )
}

function summarize(checks: readonly Check[]): string {
  const failed = checks.filter(({ status }) => status === 'fail')
  if (failed.length === 0) return 'Ready to connect'
  const remedy = failed.some(({ sql }) => sql !== null) ? 'run what is shown' : 'mend it'
  return `${formatPlural(failed.length, 'check')} failed: ${remedy}, and it is seen here`
}

function CheckItem({ check: { name, status, detail, sql } }: { check: Check }) {
  return (
    <li class={status}>
      <Icon name={STATUS_ICONS[status]} />
      <div class="stack">
        <div>
          <strong>{CHECK_NAMES[name] ?? name}</strong>
          <span class="sr-only"> {STATUS_WORDS[status]}</span>
          <p class="muted small">{detail}</p>
        </div>
        {sql !== null && <Code text={sql} label={`What mends: ${name}`} wrap />}
      </div>
    </li>
  )
}
