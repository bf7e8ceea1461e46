import { useLocation } from 'preact-iso'
import { useState } from 'preact/hooks'

import { client, explainError, faultsOf } from '../api.ts'
import { formatPlural } from '../format.ts'
import { Button } from '../ui/button.tsx'
import { Code } from '../ui/code.tsx'
import { Field, Select } from '../ui/field.tsx'
import { Icon } from '../ui/icon.tsx'
import { Note } from '../ui/parts.tsx'
import { showToast } from '../ui/toast.tsx'
import { useTitle } from '../use-title.ts'
import { ProviderGuides } from './provider-guides.tsx'

type Body = Parameters<typeof client.sources.create>[0]
type Check = Awaited<ReturnType<typeof client.sources.test>>['checks'][number]

interface Form {
  way: 'url' | 'fields'
  url: string
  host: string
  port: string
  database: string
  user: string
  password: string
  ssl: 'verify-full' | 'verify-ca' | 'require' | 'prefer' | 'disable'
  name: string
  tables: string
}

const START: Form = {
  way: 'url',
  url: '',
  host: '',
  port: '5432',
  database: '',
  user: '',
  password: '',
  ssl: 'verify-full',
  name: '',
  tables: '',
}

const SSL_MODES = [
  ['verify-full', 'Certificate and host name are checked'],
  ['verify-ca', 'The certificate is checked'],
  ['require', 'Encrypted, unchecked'],
  ['prefer', 'Encrypted where offered'],
  ['disable', 'None'],
] as const

/** Paste, check, mend, connect. */
export function Connect() {
  useTitle('Connect a database')
  const { route } = useLocation()
  const [form, setForm] = useState<Form>(START)
  const [checks, setChecks] = useState<Check[]>()
  const [error, setError] = useState<unknown>()
  const faults = faultsOf(error)
  const name = form.name || suggestName(form)
  const change = (part: Partial<Form>): void => {
    setForm({ ...form, ...part })
    setError(undefined)
    // What was found is about another database now.
    if (!('name' in part)) setChecks(undefined)
  }
  const attempt = async (run: (body: Body) => Promise<void>): Promise<void> => {
    setError(undefined)
    try {
      await run(toBody(form, name))
    } catch (caught) {
      setError(caught)
    }
  }
  const test = (): Promise<void> =>
    attempt(async (body) => setChecks((await client.sources.test(body)).checks))
  const connect = (): Promise<void> =>
    attempt(async (body) => {
      await client.sources.create(body)
      showToast(`${name} is connected.`)
      route(`/sources/${name}`)
    })
  const isReady = checks !== undefined && checks.every(({ status }) => status !== 'fail')
  const isFilled = form.way === 'url' ? form.url !== '' : form.host !== '' && form.database !== ''
  return (
    <div class="page narrow">
      <div class="page-head">
        <div>
          <nav class="crumbs" aria-label="Path">
            <a href="/sources">Sources</a> /
          </nav>
          <h1>Connect a database</h1>
          <p>Everything is checked first. Nothing is made before you say so.</p>
        </div>
      </div>
      <section class="form-section" aria-label="Database">
        <div class="section-head">
          <h2>Which database</h2>
          <div class="segments" role="group" aria-label="How to say it">
            <button
              type="button"
              aria-pressed={form.way === 'url'}
              onClick={() => change({ way: 'url' })}
            >
              Connection string
            </button>
            <button
              type="button"
              aria-pressed={form.way === 'fields'}
              onClick={() => change({ way: 'fields' })}
            >
              Fields
            </button>
          </div>
        </div>
        {form.way === 'url' ? (
          <Field
            label="Connection string"
            value={form.url}
            onInput={(url) => change({ url: url.trim() })}
            error={faults['url']}
            placeholder="postgres://user:password@host:5432/database"
            hint="With a role that may replicate. The password is encrypted before it is stored."
            autofocus
            mono
          />
        ) : (
          <ConnectionFields form={form} faults={faults} onChange={change} />
        )}
        <div class="fields">
          <Field
            label="Name"
            value={form.name}
            onInput={(text) => change({ name: text })}
            error={faults['name']}
            placeholder={suggestName(form) || 'shop'}
            hint="How it is called here."
          />
          <Field
            label="Tables"
            value={form.tables}
            onInput={(tables) => change({ tables })}
            error={faults['tables']}
            placeholder="all"
            hint="Separated by commas, as schema.table. Empty: all."
          />
        </div>
        <div class="row">
          <Button kind={isReady ? 'quiet' : 'primary'} disabled={!isFilled} onClick={test}>
            {checks ? 'Check again' : 'Check'}
          </Button>
          {isReady && (
            <Button kind="primary" onClick={connect}>
              Connect {name}
            </Button>
          )}
        </div>
        {error !== undefined && <Note tone="bad">{explainError(error)}</Note>}
      </section>
      {checks && <Checks checks={checks} />}
      <ProviderGuides />
    </div>
  )
}

interface ConnectionFieldsProps {
  form: Form
  faults: Record<string, string>
  onChange: (part: Partial<Form>) => void
}

function ConnectionFields({ form, faults, onChange }: ConnectionFieldsProps) {
  return (
    <>
      <div class="fields">
        <Field
          label="Host"
          value={form.host}
          onInput={(host) => onChange({ host: host.trim() })}
          error={faults['host']}
          placeholder="db.example.com"
        />
        <Field
          label="Port"
          type="number"
          value={form.port}
          onInput={(port) => onChange({ port })}
          error={faults['port']}
        />
        <Field
          label="Database"
          value={form.database}
          onInput={(database) => onChange({ database })}
          error={faults['database']}
        />
      </div>
      <div class="fields">
        <Field
          label="User"
          value={form.user}
          onInput={(user) => onChange({ user })}
          error={faults['user']}
        />
        <Field
          label="Password"
          type="password"
          value={form.password}
          onInput={(password) => onChange({ password })}
          error={faults['password']}
          autocomplete="new-password"
        />
        <Select
          label="TLS"
          value={form.ssl}
          options={SSL_MODES}
          onChange={(ssl) => onChange({ ssl: ssl as Form['ssl'] })}
        />
      </div>
    </>
  )
}

const CHECK_NAMES: Record<string, string> = {
  reachable: 'The database answers',
  version: 'Its version is supported',
  wal_level: 'It writes logical WAL',
  replication_privilege: 'The role may replicate',
  slot: 'Replication slot',
  free_slots: 'A slot is free',
  free_senders: 'A WAL sender is free',
  publication: 'Publication',
  tables_covered: 'The publication holds the tables',
  replica_identity: 'Replica identity of the tables',
  own_storage: 'It does not capture its own writes',
}

const STATUS_WORDS = { pass: 'Passed', warn: 'Worth knowing', fail: 'Failed' }
const STATUS_ICONS = { pass: 'check', warn: 'alert', fail: 'cross' } as const

function Checks({ checks }: { checks: readonly Check[] }) {
  const failed = checks.filter(({ status }) => status === 'fail').length
  return (
    <section class="section" aria-labelledby="checks" aria-live="polite">
      <h2 id="checks">
        {failed === 0
          ? 'Ready to connect'
          : `${formatPlural(failed, 'check')} failed: run what is shown, then check again`}
      </h2>
      <ul class="card checks">
        {checks.map(({ name, status, detail, sql }) => (
          <li key={name} class={status}>
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
        ))}
      </ul>
    </section>
  )
}

/** From the database's name, as far as a name may look like it. */
function suggestName({ way, url, database }: Form): string {
  const raw =
    way === 'url'
      ? (/^[^?#]*\/([^/?#]+)(?:[?#]|$)/.exec(url.replace('://', ' '))?.[1] ?? '')
      : database
  return decodeLoosely(raw)
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, '-')
    .replace(/^[-_]+/, '')
    .slice(0, 63)
}

function decodeLoosely(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function toBody(form: Form, name: string): Body {
  const tables = form.tables
    .split(',')
    .map((table) => table.trim())
    .filter(Boolean)
  return {
    name,
    ...(tables.length > 0 ? { tables } : {}),
    ...(form.way === 'url'
      ? { url: form.url }
      : {
          host: form.host,
          port: Number(form.port),
          database: form.database,
          user: form.user,
          password: form.password === '' ? null : form.password,
          ssl: { mode: form.ssl },
        }),
  }
}
